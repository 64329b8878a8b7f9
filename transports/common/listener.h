#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "transports/common/byte_stream.h"
#include "transports/common/count.h"
#include "transports/common/listen_socket.h"
#include "transports/common/networks.h"
#include "transports/common/tls_counters.h"
#include "transports/common/worker.h"

namespace transports::common {

/// Takes the connections of one listener on one worker.
struct ConnectionHandler {
    virtual ~ConnectionHandler() = default;
    /// Serves until the connection ends. `stream` stays valid throughout.
    virtual boost::asio::awaitable<void> serve(ByteStream& stream) = 0;
    /// Sent to a connection over the limit before it is closed; empty: nothing.
    [[nodiscard]] virtual ra::ByteView busy() const noexcept { return {}; }
    /// On its worker: connections end after the exchange they are in.
    virtual void retire() noexcept {}
};

struct ListenerSettings {
    std::string address = "127.0.0.1";       // numeric
    std::uint16_t port = 0;                  // 0: any
    int backlog = 4096;                      // the kernel caps it at net.core.somaxconn
    std::uint32_t max_connections = 20'000;  // of all workers together
    TlsContextPtr tls;                       // null: cleartext
    /// Peers that must begin with a PROXY header (S-41); from all others it is not understood.
    std::vector<Network> proxies;
    std::chrono::milliseconds opening_time{10'000};  // for PROXY header and TLS handshake
    /// Told of each handshake that fails, on the worker; may be empty.
    std::function<void(const ra::PeerFacts&, const TlsFault&)> tls_fault;
};

/// One a worker.
struct ListenerCounters {
    Count accepted;
    Count refused;        // over max_connections
    Count accept_errors;  // EMFILE and the like: accepting paused for a moment
    Count open;           // gauge
    Count proxy_errors;   // no PROXY header, or a malformed one, from a proxy
    TlsCounters tls;
};

/// One address on every worker: SO_REUSEPORT sockets, one an accept loop.
class Listener {
public:
    struct Seat {
        Worker& worker;
        ConnectionHandler& handler;
    };

    /// Binds; throws std::runtime_error naming the address when it cannot. Workers and handlers
    /// outlive the sessions; the Listener itself may go earlier.
    Listener(const ListenerSettings& settings, std::vector<Seat> seats);
    /// Takes over sockets that are already listening, one a seat.
    Listener(ListenSockets sockets, const ListenerSettings& settings, std::vector<Seat> seats);
    ~Listener();

    /// The port it got, and "address:port" as a URL has it.
    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
    [[nodiscard]] const std::string& text() const noexcept { return text_; }

    /// From any thread: accepting begins.
    void start();
    /// From any thread: accepting ends (soon); open connections go on.
    void stop();
    /// From any thread: stop(), and open connections end: idle ones at once, the others after the
    /// exchange they are in.
    void retire();
    /// From any thread: connections accepted from soon on are taken by it; address and port stay.
    void use(const ListenerSettings& settings);
    /// Connections that are open, of all workers.
    [[nodiscard]] std::uint32_t open() const noexcept;

    /// From any thread: connections accepted from soon on are served with it. `tls` is not null,
    /// and the listener was made with one.
    void set_tls(TlsContextPtr tls);

    [[nodiscard]] const ListenerCounters& counters(std::size_t seat) const noexcept;

private:
    class Acceptor;

    std::uint16_t port_ = 0;
    std::string text_;
    std::shared_ptr<std::atomic<std::uint32_t>> open_;
    std::vector<std::shared_ptr<Acceptor>> acceptors_;
};

}  // namespace transports::common
