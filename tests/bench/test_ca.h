#pragma once

#include <chrono>
#include <cstdint>

namespace bench {

/// Answers ir with ip and certConf with pkiConf over HTTP/1.1, kept alive, each `delay` after it
/// came; nothing is verified or signed. Prints "listening on PORT" and serves until SIGTERM ends
/// the process. Throws std::system_error, std::runtime_error.
[[noreturn]] void serve_test_ca(std::uint16_t port, std::chrono::milliseconds delay);

}  // namespace bench
