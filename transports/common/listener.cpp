#include "transports/common/listener.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <utility>

#include "transports/common/plain_stream.h"
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
    Acceptor(Seat seat, OwnedDescriptor socket, std::uint32_t limit,
             std::shared_ptr<std::atomic<std::uint32_t>> open)
        : worker_{seat.worker},
          handler_{seat.handler},
          socket_{seat.worker.executor(), socket.release()},
          pause_{seat.worker},
          limit_{limit},
          open_{std::move(open)} {}

    void start() { worker_.tasks().spawn("accept", loop(shared_from_this())); }
    void stop() {
        stopped_ = true;
        error_code ignored;
        socket_.close(ignored);
        pause_.notify();
    }

    void limit(std::uint32_t most) noexcept { limit_ = most; }
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
        if (open_->fetch_add(1, std::memory_order_relaxed) >= limit_) {
            open_->fetch_sub(1, std::memory_order_relaxed);
            PlainStream stream{worker_, socket, facts_of(peer)};
            turn_away(stream);
            return Took::one;
        }
        counters.open.add();
        auto stream = std::make_unique<Accepted>(shared_from_this(), socket, facts_of(peer));
        auto session = handler_.serve(*stream);
        worker_.tasks().spawn_session("session", std::move(stream), std::move(session), &handler_);
        return Took::one;
    }

    void turn_away(ByteStream& stream) {
        counters.refused.add();
        error_code ignored;
        // What the peer sent is read first: closing over unread octets resets the connection and
        // takes our answer with it.
        (void)stream.try_read(worker_.scratch(), ignored);
        const ra::ByteView answer = handler_.busy();
        if (!answer.empty()) (void)stream.try_write(answer, {}, ignored);
        stream.shutdown_write();
    }

    /// A connection that counts as open while it lives.
    class Accepted final : public PlainStream {
    public:
        Accepted(std::shared_ptr<Acceptor> by, int socket, ra::PeerFacts peer)
            : PlainStream{by->worker_, socket, std::move(peer)}, by_{std::move(by)} {}
        ~Accepted() override {
            by_->open_->fetch_sub(1, std::memory_order_relaxed);
            by_->counters.open.subtract();
        }

    private:
        std::shared_ptr<Acceptor> by_;
    };

    ConnectionHandler& handler_;
    Worker::Descriptor socket_;
    Wakeup pause_;
    std::uint32_t limit_;
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
        acceptors_.push_back(std::make_shared<Acceptor>(seats[i], std::move(sockets.sockets[i]),
                                                        settings.max_connections, open_));
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

void Listener::limit(std::uint32_t max_connections) {
    for (const auto& acceptor : acceptors_) {
        acceptor->worker_.post([acceptor, max_connections] { acceptor->limit(max_connections); });
    }
}

std::uint32_t Listener::open() const noexcept { return open_->load(std::memory_order_relaxed); }

const ListenerCounters& Listener::counters(std::size_t seat) const noexcept {
    return acceptors_[seat]->counters;
}

}  // namespace transports::common
