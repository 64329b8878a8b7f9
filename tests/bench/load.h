#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace bench {

struct LoadSettings {
    std::uint16_t port = 0;
    std::string path = "/.well-known/cmp";
    unsigned connections = 1;
    std::uint64_t transactions = 1000;
    bool cert_conf = false;  // else implicitConfirm is asked for
    // Keep all connections open until standard input ends; they take turns before.
    bool hold = false;
};

struct LoadResult {
    std::uint64_t messages = 0;
    std::uint64_t errors = 0;  // answers that are not what the message asks for
    std::string first_error;
    double seconds = 0;
    double p50_ms = 0, p90_ms = 0, p99_ms = 0, max_ms = 0;  // of one message
};

/// Closed loop: each connection sends its next message when it has its answer. Every transaction
/// has its own ids. Throws std::system_error, std::runtime_error when a connection breaks.
[[nodiscard]] LoadResult run_load(const LoadSettings& settings);

}  // namespace bench
