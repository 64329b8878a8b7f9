#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "transports/common/plain_stream.h"
#include "transports/common/tls_context.h"

namespace transports::common {

/// Why a handshake did not succeed.
struct TlsFault {
    enum class Kind : std::uint8_t {
        timed_out,    // not by the deadline
        gone,         // the peer closed
        certificate,  // the peer's certificate, or that it has none
        protocol,     // everything else: no common version, not TLS at all, an alert, too much
    };
    Kind kind{};
    std::string detail;  // "certificate: host name mismatch (wanted ca.example)"
};

/// The session a client may resume with its server. One an upstream and worker.
class TlsSessions {
public:
    TlsSessions();
    ~TlsSessions();
    void forget() noexcept;

    struct Impl;
    [[nodiscard]] Impl& impl() noexcept { return *impl_; }

private:
    std::unique_ptr<Impl> impl_;
};

/// A ByteStream of TLS over a socket. Reads and writes are whole records; an idle one holds no
/// record buffer. A truncated end (no close_notify) is an error and not the end of file.
class TlsStream : public ByteStream {
public:
    /// For a server. `transport` is connected.
    TlsStream(std::unique_ptr<PlainStream> transport, TlsContextPtr context);
    /// For a client: `host` is what the server's certificate must be for, and is sent as SNI unless
    /// it is an address. `protocols`: offered by ALPN. `sessions` may be null.
    TlsStream(std::unique_ptr<PlainStream> transport, TlsContextPtr context,
              const std::string& host, const std::vector<std::string>& protocols,
              std::shared_ptr<TlsSessions> sessions);
    ~TlsStream() override;

    /// Once, before all else. Nullopt: the stream may be used, peer() has its TLS facts.
    [[nodiscard]] boost::asio::awaitable<std::optional<TlsFault>> handshake(ra::BootTime until);

    /// What the handshake cost this thread, and whether an earlier session made it cheap.
    [[nodiscard]] std::chrono::nanoseconds handshake_cost() const noexcept { return cost_; }
    [[nodiscard]] bool resumed() const noexcept;

    std::size_t try_read(std::span<std::uint8_t> to, error_code& error) noexcept override;
    /// A write that would have blocked is repeated with the same octets before any others.
    std::size_t try_write(ra::ByteView head, ra::ByteView body,
                          error_code& error) noexcept override;
    boost::asio::awaitable<Ready> wait_read() override;
    boost::asio::awaitable<Ready> wait_write() override;
    void expires_at(ra::BootTime at) noexcept override { transport_->expires_at(at); }
    void quick_ack() noexcept override { transport_->quick_ack(); }
    bool quiet() noexcept override;
    void shutdown_write() noexcept override;
    void close() noexcept override;
    const ra::PeerFacts& peer() const noexcept override { return transport_->peer(); }
    std::string_view protocol() const noexcept override;

    /// What is below: for what a proxy says before the handshake.
    [[nodiscard]] PlainStream& transport() noexcept { return *transport_; }

    struct Impl;

private:
    enum class Wants : std::uint8_t { read, write, nothing };

    Wants step();
    [[nodiscard]] TlsFault fault_now();
    [[nodiscard]] std::optional<TlsFault> conclude();
    error_code error_after(int result) noexcept;
    std::size_t write_some(ra::ByteView octets, error_code& error) noexcept;
    void say_goodbye() noexcept;

    std::unique_ptr<PlainStream> transport_;
    TlsContextPtr context_;
    std::unique_ptr<Impl> impl_;
    std::chrono::nanoseconds cost_{0};
};

}  // namespace transports::common
