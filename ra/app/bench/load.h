#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>

#include "ra/app/bench/messages.h"

namespace ra::app::bench {

struct LoadSettings {
    std::string url;
    std::string label;  // appended to the URL's path where that is the well-known one
    unsigned connections = 1;
    unsigned threads = 1;
    std::uint64_t requests = 0;            // enrolments in all; 0: as many as `duration` allows
    std::chrono::milliseconds duration{};  // 0: until `requests` are done
    std::chrono::milliseconds timeout{30'000};
    bool confirm = false;  // ir and certConf; else implicitConfirm is asked for
    // All connections stay open until standard input ends; each makes one enrolment before.
    bool hold = false;
    int server_pid = 0;  // whose CPU is measured as well; 0: nobody's
};

/// Microseconds, counted with a resolution of 1 %.
class Latencies {
public:
    void add(std::chrono::nanoseconds duration) noexcept;
    void add(const Latencies& others) noexcept;
    [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
    /// In milliseconds; `part` 0..1.
    [[nodiscard]] double percentile(double part) const noexcept;

private:
    static constexpr unsigned kFineBits = 7;
    static constexpr std::size_t kBuckets = (32 - kFineBits + 1) << kFineBits;
    std::array<std::uint64_t, kBuckets> counts_{};
    std::uint64_t count_ = 0;
};

struct LoadResult {
    Latencies latencies;       // of one message
    std::uint64_t errors = 0;  // no answer, or not the one the message asks for
    std::string first_error;
    double seconds = 0;
    double client_cpu = 0;  // seconds
    double server_cpu = 0;
};

/// Closed loop: each connection sends its next message when it has its answer. Every enrolment has
/// ids of its own. `devices` outlives the call. Throws std::runtime_error.
[[nodiscard]] LoadResult run_load(const LoadSettings& settings, const Devices& devices);

}  // namespace ra::app::bench
