#pragma once

#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>
#include <string_view>
#include <thread>
#include <vector>

#include "ra/exchange.h"

namespace test {

/// What may be wrong with how an answer is delivered.
enum class DeliveryFault : std::uint8_t {
    huge,              // 100 MiB of content
    huge_chunked,      // the same without saying so before
    drip,              // one octet a second
    late,              // the answer, after `delay`
    silent,            // takes the request, says nothing
    hang_up,           // takes the request, closes
    short_content,     // half of the promised Content-Length, then closes
    wrong_media_type,  // text/html
    server_error,      // 500 with a page for people
    empty_error,       // 500 and nothing else
    answer_in_error,   // 500 with the answer, which counts (RFC 9811 3.1)
    garbage,           // not HTTP
    junk,              // HTTP and the media type, but no PKIMessage
};

/// "huge", "drip" and so on; nullopt: no such fault.
[[nodiscard]] std::optional<DeliveryFault> delivery_fault(std::string_view name);
[[nodiscard]] std::vector<std::string_view> delivery_fault_names();

/// An HTTP server on a port of 127.0.0.1 that takes requests properly and answers them badly. A
/// thread a connection, at most 64; all ended by the destructor.
class BadHttpServer {
public:
    /// `ca` gives the answer that is delivered badly; outlives this. It must not suspend.
    BadHttpServer(ra::Exchange& ca, DeliveryFault fault, std::chrono::milliseconds delay,
                  std::uint16_t port = 0);
    BadHttpServer(const BadHttpServer&) = delete;
    BadHttpServer& operator=(const BadHttpServer&) = delete;
    ~BadHttpServer();

    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
    /// Requests received whole.
    [[nodiscard]] unsigned requests() const noexcept { return requests_; }

private:
    void accept_all();
    void serve(int connection);
    void answer(int connection, ra::Bytes request);
    [[nodiscard]] bool pause(std::chrono::milliseconds time) const;
    [[nodiscard]] bool send(int connection, std::string_view octets) const;

    ra::Exchange& ca_;
    const DeliveryFault fault_;
    const std::chrono::milliseconds delay_;
    int listener_ = -1;
    std::uint16_t port_ = 0;
    std::atomic<bool> ending_{false};
    std::atomic<unsigned> requests_{0};
    std::mutex lock_;
    std::vector<std::thread> threads_;
};

}  // namespace test
