#pragma once

#include <chrono>

namespace ra {

/// What the calling thread has spent of the processor so far: differences say what work costs.
[[nodiscard]] std::chrono::nanoseconds thread_cpu_time() noexcept;

}  // namespace ra
