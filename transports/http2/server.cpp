#include "transports/http2/server.h"

#include <algorithm>
#include <boost/asio/error.hpp>

#include "transports/http1/replies.h"
#include "transports/http2/pump.h"
#include "transports/http2/server_session.h"

namespace transports::http2 {

namespace asio = boost::asio;
using common::ByteStream;
using common::error_code;
using common::Ready;
using http1::HeadFacts;

namespace {

constexpr int kReadsAWakeup = 8;                   // then the other connections get their turn
constexpr std::chrono::seconds kNoticeTime{1};     // between shutdown notice and GOAWAY
constexpr std::chrono::seconds kLingerTime{1};     // for the peer to read our last frames
constexpr std::chrono::seconds kExchangeSlack{5};  // an exchange ends by its own deadline

ServerLimits limits_of(const http1::HttpServerSettings& settings) {
    ServerLimits limits;
    limits.max_streams = Http2Server::kMaxStreams;
    limits.max_header = settings.max_header;
    limits.max_body = settings.max_body;
    return limits;
}

}  // namespace

/// One connection. Shared with its exchanges, which may outlive it.
class Http2Server::Connection final : public std::enable_shared_from_this<Connection>,
                                      public common::Drainable {
public:
    Connection(Http2Server& server, ByteStream& stream)
        : server_{server},
          rules_{server.rules_},
          stream_{stream},
          session_{limits_of(rules_->settings), rules_->settings.aliases, rules_->known_paths},
          pump_{server.worker_, stream, session_},
          peer_{stream.peer()},
          active_{ra::BootClock::now()} {}

    asio::awaitable<void> run(ra::Bytes first) {
        stream_.set_drainable(this);
        if (server_.worker_.tasks().draining()) begin_shutdown();
        bool open = first.empty() || take(first);
        first = {};
        while (open) {
            advance();
            if (session_.over() || pump_.broken()) break;
            stream_.expires_at(deadline());
            const Ready ready = co_await stream_.wait_read();
            if (ready == Ready::closed) break;
            open = ready == Ready::timed_out ? on_time() : read();
        }
        advance();
        const auto until = ra::BootClock::now() + kLingerTime;
        co_await pump_.finish(until);
        co_await linger(until);
        co_await pump_.finish(until);
        alive_ = false;
        stream_.set_drainable(nullptr);
        stream_.close();
    }

    /// Called by the worker's task group: a shutdown begins.
    void drain() noexcept override {
        begin_shutdown();
        advance();
    }

private:
    /// Sends what the session has to say and wakes the reader if nothing is left to do.
    void advance() {
        pump_.flush(shared_from_this());
        // A wait in progress ends at the new deadline.
        if (alive_) stream_.expires_at(session_.over() ? ra::BootClock::now() : deadline());
    }

    bool take(ra::ByteView octets) {
        const auto now = ra::BootClock::now();
        const bool open = session_.receive(octets, now);
        // Pings and the like do not keep a connection that does nothing.
        if (session_.streams() != 0) active_ = now;
        for (const unsigned status : session_.take_refusals()) server_.counters_.status(status);
        for (ServerSession::Request& request : session_.take_requests()) begin(std::move(request));
        return open;
    }

    bool read() {
        for (int i = 0; i < kReadsAWakeup; ++i) {
            const auto scratch = server_.worker_.scratch();
            error_code error;
            const std::size_t got = stream_.try_read(scratch, error);
            if (error == asio::error::would_block) return true;
            if (error) return false;
            if (!take(ra::ByteView{scratch.data(), got})) return false;
        }
        return true;
    }

    void begin(ServerSession::Request request) {
        // Exchanges of streams that were reset still run.
        if (running_ >= kMaxStreams) return session_.refuse_stream(request.stream);
        ra::Arrival arrival;
        arrival.der = std::move(request.body);
        arrival.listener = rules_->settings.listener;
        arrival.label = std::move(request.path.label);
        arrival.advised = request.path.operation;
        arrival.peer = peer_;
        arrival.deadline = active_ + rules_->settings.exchange_time;
        server_.worker_.random().fill(arrival.trace.octets);
        server_.counters_.requests.add();
        if (served_++ != 0) server_.counters_.reused.add();
        ++running_;
        server_.worker_.tasks().spawn(
            "http2-exchange", answer(shared_from_this(), request.stream, std::move(arrival)));
    }

    static asio::awaitable<void> answer(std::shared_ptr<Connection> self, StreamId stream,
                                        ra::Arrival arrival) {
        HeadFacts facts;
        facts.trace = arrival.trace;
        bool broken = false;
        ra::Reply reply = ra::NotCmp{};
        try {
            reply = co_await self->server_.exchange_.exchange(std::move(arrival));
        } catch (...) {
            broken = true;
            self->server_.worker_.report("exchange", std::current_exception());
        }
        --self->running_;
        const ra::ByteView content = http1::map_reply(reply, self->rules_->known_paths, facts);
        if (broken) facts.status = 500;
        facts.date = self->server_.date_.now();
        const bool sent =
            self->alive_ && self->session_.respond(stream, facts, ra::to_bytes(content));
        if (!sent) {
            self->server_.counters_.dropped_replies.add();
            co_return;
        }
        self->server_.counters_.status(facts.status);
        self->active_ = ra::BootClock::now();
        self->advance();
    }

    [[nodiscard]] ra::BootTime deadline() const {
        const http1::HttpServerSettings& settings = rules_->settings;
        ra::BootTime at = active_ + settings.idle_time;
        if (session_.streams() != 0) at = active_ + settings.exchange_time + kExchangeSlack;
        if (const auto since = session_.receiving_since())
            at = std::min(at, *since + settings.receive_time);
        if (pump_.stalled()) at = std::min(at, pump_.stalled_since() + settings.send_time);
        if (phase_ == Phase::noticed) at = std::min(at, notified_ + kNoticeTime);
        return at;
    }

    /// A deadline has passed: which? False: the connection ends.
    bool on_time() {
        const auto now = ra::BootClock::now();
        const http1::HttpServerSettings& settings = rules_->settings;
        if (pump_.stalled() && now >= pump_.stalled_since() + settings.send_time) return false;
        if (phase_ == Phase::noticed && now >= notified_ + kNoticeTime) {
            phase_ = Phase::going;
            session_.go_away();
            return true;
        }
        const std::size_t late = session_.time_out(now - settings.receive_time, now);
        server_.counters_.timeouts.add(late);
        for (const unsigned status : session_.take_refusals()) server_.counters_.status(status);
        if (late != 0 || session_.streams() != 0) return now < deadline();
        if (now < active_ + settings.idle_time) return true;
        server_.counters_.idle_closed.add();
        session_.go_away();
        return false;
    }

    void begin_shutdown() {
        if (phase_ != Phase::open) return;
        if (session_.streams() == 0) {
            // A request on its way is above the last stream named: its client knows that nobody
            // has seen it.
            phase_ = Phase::going;
            session_.go_away();
            return;
        }
        phase_ = Phase::noticed;
        notified_ = ra::BootClock::now();
        session_.notify_shutdown();
    }

    /// Closing over unread octets would reset the connection and take our last frames with it.
    asio::awaitable<void> linger(ra::BootTime until) {
        if (pump_.broken()) co_return;
        stream_.shutdown_write();
        stream_.expires_at(until);
        for (int i = 0; i < 64; ++i) {
            error_code error;
            (void)stream_.try_read(server_.worker_.scratch(), error);
            if (error && error != asio::error::would_block) co_return;
            if (!error) continue;
            const Ready ready = co_await stream_.wait_read();
            if (ready != Ready::ready) co_return;
        }
    }

    enum class Phase : std::uint8_t { open, noticed, going };

    Http2Server& server_;
    std::shared_ptr<const Rules> rules_;
    ByteStream& stream_;
    ServerSession session_;
    Pump pump_;
    ra::PeerFacts peer_;
    ra::BootTime active_;
    ra::BootTime notified_{};
    Phase phase_ = Phase::open;
    std::size_t running_ = 0;
    std::uint64_t served_ = 0;
    bool alive_ = true;
};

Http2Server::Http2Server(common::Worker& worker, ra::Exchange& exchange,
                         http1::HttpServerSettings settings, http1::HttpServerCounters& counters)
    : worker_{worker}, exchange_{exchange}, counters_{counters} {
    use(std::move(settings));
}

void Http2Server::use(http1::HttpServerSettings settings) {
    auto rules = std::make_shared<Rules>();
    rules->known_paths = http1::describe_paths(settings.aliases, settings.labels);
    rules->settings = std::move(settings);
    rules_ = std::move(rules);
}

asio::awaitable<void> Http2Server::serve_from(ByteStream& stream, ra::Bytes first) {
    const auto connection = std::make_shared<Connection>(*this, stream);
    co_await connection->run(std::move(first));
}

}  // namespace transports::http2
