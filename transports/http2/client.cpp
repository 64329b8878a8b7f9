#include "transports/http2/client.h"

#include <algorithm>

#include "transports/common/wakeup.h"
#include "transports/http1/paths.h"
#include "transports/http2/client_connection.h"

namespace transports::http2 {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kConnections = 4;          // to one URL, of one worker
constexpr std::size_t kCallsBeforeAnother = 50;  // on each
constexpr std::chrono::minutes kHttp1Memory{5};  // then h2 is offered again
constexpr int kTries = 3;

http1::DialSettings dial_settings(const http1::HttpClientSettings& settings,
                                  Http2Courier::Mode mode) {
    http1::DialSettings dial;
    dial.host = settings.url.host;
    dial.port = settings.url.port;
    dial.connect_time = settings.connect_time;
    dial.tls = settings.tls;
    dial.tls_name = settings.tls_name;
    dial.protocols = {"h2"};
    if (mode == Http2Courier::Mode::negotiated) dial.protocols.emplace_back("http/1.1");
    return dial;
}

/// What a whole response means (ra/exchange.h).
ra::Sent map_answer(Call& call) {
    const bool cmp = call.cmp && !call.body.empty();
    if (call.status / 100 == 2 && cmp) return ra::Delivered{std::move(call.body)};
    const bool usable = cmp && call.status >= 400;
    return ra::RejectedByTransport{call.status, usable ? std::move(call.body) : ra::Bytes{}};
}

}  // namespace

/// A delivery that waits for somebody else's dialling.
struct Http2Courier::Waiter {
    explicit Waiter(common::Worker& worker) noexcept : wakeup{worker} {}
    common::Wakeup wakeup;
    bool failed = false;
    ra::NotSent fault{"connect"};
};

Http2Courier::Http2Courier(common::Worker& worker, http1::HttpClientSettings settings, Mode mode,
                           http1::HttpClientCounters& counters)
    : worker_{worker},
      settings_{std::move(settings)},
      mode_{mode},
      counters_{counters},
      authority_{settings_.url.authority()},
      dialer_{worker, dial_settings(settings_, mode), counters},
      http1_{worker, settings_, counters} {}

Http2Courier::~Http2Courier() = default;

asio::awaitable<ra::Sent> Http2Courier::send(ra::Delivery delivery) {
    Route route;
    if (closed_) {
        route.fault = ra::NotSent{"closed"};
    } else if (ra::BootClock::now() >= delivery.deadline) {
        route.fault = ra::NotSent{"deadline"};
    } else {
        route = co_await this->route(delivery.deadline);
    }
    if (route.http1) {
        ra::Sent sent = co_await http1_.send(delivery);
        co_return sent;
    }
    counters_.deliveries.add();
    ra::Sent sent = std::move(route.fault);
    if (route.connection != nullptr) sent = co_await deliver(delivery, std::move(route));
    counters_.ended(sent);
    co_return sent;
}

asio::awaitable<bool> Http2Courier::probe(ra::Deadline until) {
    if (closed_) co_return false;
    // Connections that stand are read all the time: one that is usable reaches its peer.
    const Route found = co_await route(until);
    if (!found.http1) co_return found.connection != nullptr;
    const bool reached = co_await http1_.probe(until);
    co_return reached;
}

/// The least loaded connection that takes more; null: one is to be made.
Http2Courier::ConnectionPtr Http2Courier::best() {
    std::erase_if(connections_, [](const ConnectionPtr& one) { return !one->usable(); });
    ConnectionPtr best;
    for (const ConnectionPtr& one : connections_) {
        if (best == nullptr || one->calls() < best->calls()) best = one;
    }
    const bool full = best != nullptr && best->calls() >= kCallsBeforeAnother;
    return full && connections_.size() < kConnections && !dialing_ ? nullptr : best;
}

asio::awaitable<Http2Courier::Route> Http2Courier::route(ra::BootTime until) {
    Route route;
    for (;;) {
        if (ra::BootClock::now() < http1_until_) {
            route.http1 = true;
            co_return route;
        }
        route.connection = best();
        if (route.connection != nullptr) {
            const std::size_t most = settings_.max_connections + settings_.max_waiting;
            if (route.connection->calls() >= most) {
                route.connection = nullptr;
                route.fault = ra::NotSent{"busy"};
            }
            co_return route;
        }
        if (!dialing_) co_return co_await dial(until);
        if (waiting_.size() >= settings_.max_waiting) {
            route.fault = ra::NotSent{"busy"};
            co_return route;
        }
        Waiter waiter{worker_};
        waiting_.push_back(&waiter);
        const bool woken = co_await waiter.wakeup.wait(until);
        std::erase(waiting_, &waiter);
        if (!woken || waiter.failed) {
            route.fault = waiter.failed ? std::move(waiter.fault) : ra::NotSent{"deadline"};
            co_return route;
        }
    }
}

asio::awaitable<Http2Courier::Route> Http2Courier::dial(ra::BootTime until) {
    dialing_ = true;
    http1::Dialer::Dialed dialed = co_await dialer_.dial(until);
    dialing_ = false;
    Route route;
    route.fresh = true;
    if (dialed.stream == nullptr) {
        route.fault = ra::NotSent{dialed.why, std::move(dialed.detail)};
    } else if (closed_) {
        dialed.stream->close();
        route.fault = ra::NotSent{"closed"};
    } else if (mode_ == Mode::negotiated && dialed.stream->protocol() != "h2") {
        http1_until_ = ra::BootClock::now() + kHttp1Memory;
        http1_.adopt(std::move(dialed.stream));
        route.http1 = true;
    } else {
        route.connection =
            ClientConnection::start(worker_, std::move(dialed.stream), settings_, counters_);
        connections_.push_back(route.connection);
    }
    wake(route);
    co_return route;
}

void Http2Courier::wake(const Route& route) {
    for (Waiter* waiter : std::exchange(waiting_, {})) {
        waiter->failed = route.connection == nullptr && !route.http1;
        waiter->fault = route.fault;
        waiter->wakeup.notify();
    }
}

asio::awaitable<ra::Sent> Http2Courier::deliver(const ra::Delivery& delivery, Route route) {
    bool touched = false;  // octets left on an earlier try
    std::string path = settings_.url.path;
    if (settings_.append_labels)
        path = http1::render_path(path, delivery.label, delivery.operation);
    const std::string length = std::to_string(delivery.der.size());
    const std::string trace = delivery.trace.text();
    const Fields fields{{":method", "POST"},
                        {":scheme", settings_.url.secure ? "https" : "http"},
                        {":authority", authority_},
                        {":path", path},
                        {"content-type", "application/pkixcmp"},
                        {"content-length", length},
                        {"x-request-id", trace}};
    for (int tries = 1;; ++tries) {
        const std::shared_ptr<ClientConnection> connection = route.connection;
        if (!route.fresh) counters_.reused.add();
        const auto call = std::make_shared<Call>();
        call->content = ra::to_bytes(delivery.der);
        common::Wakeup ended{worker_};
        // Whoever destroys this frame takes the callback away first.
        struct Listening {
            std::shared_ptr<Call> call;
            ~Listening() { call->ended = nullptr; }
        };
        const Listening listening{call};
        call->ended = [&ended] { ended.notify(); };
        const StreamId stream = connection->call(fields, call);
        if (stream > 0 && call->end == Call::End::open) {
            (void)co_await ended.wait(delivery.deadline);
            if (call->end == Call::End::open) {
                connection->abandon(stream);
                if (call->left || touched) co_return ra::Unknown{"deadline"};
                co_return ra::NotSent{"deadline"};
            }
        }
        if (call->end == Call::End::answered) co_return map_answer(*call);
        if (call->end == Call::End::malformed) co_return ra::Unknown{"malformed"};
        // Sent again only if nobody has processed it, or if that does no harm.
        const bool spared = call->end != Call::End::broken;
        touched = touched || !spared;
        const bool again = spared || (delivery.repeatable && !call->heard && !route.fresh);
        if (!again || tries == kTries) {
            if (touched) co_return ra::Unknown{"reset"};
            co_return ra::NotSent{"refused"};
        }
        counters_.retried.add();
        route = co_await this->route(delivery.deadline);
        if (route.http1 && !touched) {
            ra::Sent sent = co_await http1_.send(delivery);
            co_return sent;
        }
        if (route.connection == nullptr) {
            if (touched) co_return ra::Unknown{"reset"};
            co_return std::move(route.fault);
        }
    }
}

void Http2Courier::retire_all() noexcept {
    for (const ConnectionPtr& one : std::exchange(connections_, {})) one->retire();
}

void Http2Courier::set_tls(common::TlsContextPtr tls) {
    if (tls == dialer_.tls()) return;
    dialer_.set_tls(tls);
    http1_.set_tls(std::move(tls));
    http1_until_ = {};
    retire_all();
}

void Http2Courier::close() noexcept {
    closed_ = true;
    retire_all();
    http1_.close();
    Route route;
    route.fault = ra::NotSent{"closed"};
    wake(route);
}

}  // namespace transports::http2
