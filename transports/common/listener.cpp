#include "transports/common/listener.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <utility>

#include "transports/common/plain_stream.h"
#include "transports/common/proxy_reader.h"
#include "transports/common/wakeup.h"

namespace transports::common {

namespace asio = boost::asio;

namespace {

constexpr int kAcceptsAWakeup = 32;  // then the open connections get their turn
constexpr std::chrono::milliseconds kPause{100};

/// Faults of the connection that was to be accepted, not of the listener (accept(2)).
bool concerns_peer(int error) noexcept {
    switch (error) {
        case ECONNABORTED:
        case EINTR:
        case EPROTO:
        case ENETDOWN:
        case ENOPROTOOPT:
        case EHOSTDOWN:
        case ENONET:
        case EHOSTUNREACH:
        case ENETUNREACH:
            return true;
        default:
            return false;
    }
}

ra::PeerFacts facts_of(const asio::ip::tcp::endpoint& peer) {
    if (peer.data()->sa_family == AF_UNIX) return {};
    auto address = peer.address();
    // A dual-stack socket shows IPv4 peers mapped; rules and logs name them as IPv4.
    if (address.is_v6() && address.to_v6().is_v4_mapped()) {
        address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
    }
    return {address.to_string(), peer.port()};
}

}  // namespace

/// The accept loop of one worker. Shared with its coroutines, so that it outlives the Listener.
class Listener::Acceptor : public std::enable_shared_from_this<Acceptor> {
public:
    Acceptor(Seat seat, OwnedDescriptor socket, const ListenerSettings& settings,
             std::shared_ptr<std::atomic<std::uint32_t>> open)
        : worker_{seat.worker},
          handler_{seat.handler},
          socket_{seat.worker.executor(), socket.release()},
          pause_{seat.worker},
          settings_{settings},
          open_{std::move(open)} {}

    void start() { worker_.tasks().spawn("accept", loop(shared_from_this())); }
    void stop() {
        stopped_ = true;
        error_code ignored;
        socket_.close(ignored);
        pause_.notify();
    }

    void use(const ListenerSettings& settings) { settings_ = settings; }
    void set_tls(TlsContextPtr tls) { settings_.tls = std::move(tls); }
    void retire() {
        stop();
        handler_.retire();
        worker_.tasks().close_idle(&handler_);
    }

    ListenerCounters counters;
    Worker& worker_;

private:
    enum class Took : std::uint8_t { one, none, exhausted };

    static asio::awaitable<void> loop(std::shared_ptr<Acceptor> self) {
        while (!self->stopped_) {
            const auto waited = co_await self->socket_.async_wait(
                Worker::Descriptor::wait_read, asio::as_tuple(asio::use_awaitable));
            if (std::get<0>(waited)) break;
            Took took = Took::one;
            for (int i = 0; i < kAcceptsAWakeup && took == Took::one; ++i) took = self->take();
            if (took == Took::exhausted && !self->stopped_) {
                // No descriptor is free: the backlog keeps the peers until one is.
                const bool ended = co_await self->pause_.wait(ra::BootClock::now() + kPause);
                if (ended) break;
            }
        }
    }

    Took take() {
        asio::ip::tcp::endpoint peer;
        auto size = static_cast<socklen_t>(peer.capacity());
        const int socket =
            accept4(socket_.native_handle(), peer.data(), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (socket < 0) {
            if (errno == EAGAIN || errno == EWOULDBLOCK) return Took::none;
            if (concerns_peer(errno)) return Took::one;
            counters.accept_errors.add();
            return Took::exhausted;
        }
        peer.resize(size);
        counters.accepted.add();
        if (open_->fetch_add(1, std::memory_order_relaxed) >= settings_.max_connections) {
            open_->fetch_sub(1, std::memory_order_relaxed);
            PlainStream stream{worker_, socket, facts_of(peer)};
            turn_away(stream);
            return Took::one;
        }
        counters.open.add();
        serve(socket, facts_of(peer));
        return Took::one;
    }

    void serve(int socket, ra::PeerFacts peer) {
        // Answers that follow each other (a session ticket, HTTP/2's frames) do not wait for
        // acknowledgements.
        const int on = 1;
        setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        const bool proxied = contains(settings_.proxies, peer.address);
        if (settings_.tls != nullptr) {
            auto plain = std::make_unique<PlainStream>(worker_, socket, std::move(peer));
            auto stream = std::make_unique<Admitted<TlsStream>>(shared_from_this(),
                                                                std::move(plain), settings_.tls);
            auto session =
                open(shared_from_this(), *stream, stream->transport(), stream.get(), proxied);
            worker_.tasks().spawn_session("session", std::move(stream), std::move(session),
                                          &handler_);
            return;
        }
        auto stream = std::make_unique<Admitted<PlainStream>>(shared_from_this(), worker_, socket,
                                                              std::move(peer));
        auto session = proxied ? open(shared_from_this(), *stream, *stream, nullptr, true)
                               : handler_.serve(*stream);
        worker_.tasks().spawn_session("session", std::move(stream), std::move(session), &handler_);
    }

    /// What comes before the protocol, then the protocol. `tls`: `stream` itself, or null.
    static asio::awaitable<void> open(std::shared_ptr<Acceptor> self, ByteStream& stream,
                                      PlainStream& transport, TlsStream* tls, bool proxied) {
        const auto until = ra::BootClock::now() + self->settings_.opening_time;
        stream.set_idle(true);  // a shutdown need not wait for it
        bool good = true;
        if (proxied) {
            good = co_await read_proxy_header(transport, until);
            if (!good) self->counters.proxy_errors.add();
        }
        if (good && tls != nullptr) {
            const auto fault = co_await tls->handshake(until);
            good = !fault;
            if (fault) {
                self->counters.tls.fault(*tls, *fault);
                if (self->settings_.tls_fault) self->settings_.tls_fault(stream.peer(), *fault);
            } else {
                self->counters.tls.succeeded(*tls);
            }
        }
        stream.set_idle(false);
        if (good) co_await self->handler_.serve(stream);
        stream.close();
    }

    void turn_away(ByteStream& stream) {
        counters.refused.add();
        error_code ignored;
        // What the peer sent is read first: closing over unread octets resets the connection and
        // takes our answer with it.
        (void)stream.try_read(worker_.scratch(), ignored);
        const ra::ByteView answer = handler_.busy();
        if (!answer.empty() && settings_.tls == nullptr)
            (void)stream.try_write(answer, {}, ignored);
        stream.shutdown_write();
    }

    /// A connection that counts as open while it lives.
    template <class Stream>
    class Admitted final : public Stream {
    public:
        template <class... Args>
        explicit Admitted(std::shared_ptr<Acceptor> by, Args&&... args)
            : Stream{std::forward<Args>(args)...}, by_{std::move(by)} {}
        ~Admitted() override {
            by_->open_->fetch_sub(1, std::memory_order_relaxed);
            by_->counters.open.subtract();
        }

    private:
        std::shared_ptr<Acceptor> by_;
    };

    ConnectionHandler& handler_;
    Worker::Descriptor socket_;
    Wakeup pause_;
    ListenerSettings settings_;
    std::shared_ptr<std::atomic<std::uint32_t>> open_;
    bool stopped_ = false;
};

Listener::Listener(const ListenerSettings& settings, std::vector<Seat> seats)
    : Listener{open_listen_sockets(settings.address, settings.port, seats.size(), settings.backlog),
               settings, seats} {}

Listener::Listener(ListenSockets sockets, const ListenerSettings& settings, std::vector<Seat> seats)
    : port_{sockets.port},
      text_{std::move(sockets.text)},
      open_{std::make_shared<std::atomic<std::uint32_t>>(0)} {
    for (std::size_t i = 0; i < seats.size(); ++i) {
        acceptors_.push_back(
            std::make_shared<Acceptor>(seats[i], std::move(sockets.sockets[i]), settings, open_));
    }
}

Listener::~Listener() { stop(); }

void Listener::start() {
    for (const auto& acceptor : acceptors_) {
        acceptor->worker_.post([acceptor] { acceptor->start(); });
    }
}

void Listener::stop() {
    for (const auto& acceptor : acceptors_) {
        acceptor->worker_.post([acceptor] { acceptor->stop(); });
    }
}

void Listener::retire() {
    for (const auto& acceptor : acceptors_) {
        acceptor->worker_.post([acceptor] { acceptor->retire(); });
    }
}

void Listener::use(const ListenerSettings& settings) {
    for (const auto& acceptor : acceptors_) {
        acceptor->worker_.post([acceptor, settings] { acceptor->use(settings); });
    }
}

void Listener::set_tls(TlsContextPtr tls) {
    for (const auto& acceptor : acceptors_) {
        acceptor->worker_.post([acceptor, tls] { acceptor->set_tls(tls); });
    }
}

std::uint32_t Listener::open() const noexcept { return open_->load(std::memory_order_relaxed); }

const ListenerCounters& Listener::counters(std::size_t seat) const noexcept {
    return acceptors_[seat]->counters;
}

}  // namespace transports::common
