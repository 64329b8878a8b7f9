#pragma once

#include <atomic>
#include <cstdint>

namespace metrics {

/// A counter that one thread writes and any thread may read: plain in cost (no locked instruction),
/// free of data races. One object a worker; whoever renders metrics adds them up.
class Count {
public:
    void add(std::uint64_t n = 1) noexcept {
        value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
    }
    void subtract(std::uint64_t n = 1) noexcept { add(~n + 1); }
    [[nodiscard]] std::uint64_t get() const noexcept {
        return value_.load(std::memory_order_relaxed);
    }

private:
    std::atomic<std::uint64_t> value_{0};
};

}  // namespace metrics
