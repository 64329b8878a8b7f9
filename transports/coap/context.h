#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "transports/common/tls_borrowed.h"
#include "transports/common/worker.h"

struct coap_context_t;
struct coap_address_t;  // NOLINT(readability-identifier-naming): named by libcoap

namespace transports::coap {

enum class Protocol : std::uint8_t { udp, dtls, tcp, tls };

[[nodiscard]] constexpr bool is_reliable(Protocol protocol) noexcept {
    return protocol == Protocol::tcp || protocol == Protocol::tls;
}
[[nodiscard]] constexpr bool is_secure(Protocol protocol) noexcept {
    return protocol == Protocol::dtls || protocol == Protocol::tls;
}

/// One context of the library on one worker: its epoll descriptor is watched there, so that it
/// costs nothing while nothing happens. For that worker's thread, or before it runs.
class Context {
public:
    /// Throws std::runtime_error.
    explicit Context(common::Worker& worker);
    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;
    ~Context();

    [[nodiscard]] coap_context_t* get() const noexcept { return context_; }

    /// Opens a port. Throws std::runtime_error naming the address: it is taken (the library would
    /// take a UDP port over from whoever has it), and the like. Yields "address:port" as a URL has
    /// it.
    struct Bound {
        std::uint16_t port = 0;
        std::string text;
    };
    Bound listen(const std::string& address, std::uint16_t port, Protocol protocol);

    /// What the library made with its context, for guard_server_tls() and lend_client_tls().
    [[nodiscard]] const common::Borrowers& borrowers() const noexcept { return borrowers_; }

    /// Called between any two steps of the library, each of which reads a socket once.
    void between_steps(std::function<void()> hook) { between_ = std::move(hook); }

    /// After something was sent outside the library's callbacks: its timer is set anew.
    void arm();

private:
    struct Watch;

    void pump();

    common::Worker& worker_;
    coap_context_t* context_ = nullptr;
    std::shared_ptr<Watch> watch_;
    std::function<void()> between_;
    common::Borrowers borrowers_;
};

}  // namespace transports::coap
