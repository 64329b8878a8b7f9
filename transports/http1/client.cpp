#include "transports/http1/client.h"

#include <algorithm>
#include <array>
#include <boost/asio/error.hpp>
#include <charconv>
#include <stdexcept>
#include <utility>

#include "transports/common/wakeup.h"
#include "transports/http1/paths.h"
#include "transports/http1/response_reader.h"

namespace transports::http1 {

namespace asio = boost::asio;
using common::ByteStream;
using common::error_code;
using common::Ready;

namespace {

constexpr std::chrono::seconds kIdleCheck{1};
constexpr int kMaxInterim = 8;  // 1xx responses before the answer

/// What a whole response means (ra/exchange.h).
ra::Sent map_response(ResponseReader& reader) {
    const unsigned status = reader.status();
    ra::Bytes content = reader.take_body();
    const bool cmp = reader.is_cmp() && !content.empty();
    if (status / 100 == 2 && cmp) return ra::Delivered{std::move(content)};
    // Content of a redirection is about the redirection.
    const bool usable = cmp && status >= 400;
    return ra::RejectedByTransport{status, usable ? std::move(content) : ra::Bytes{}};
}

DialSettings dial_settings(const HttpClientSettings& settings) {
    DialSettings dial;
    dial.host = settings.url.host;
    dial.port = settings.url.port;
    dial.connect_time = settings.connect_time;
    dial.tls = settings.tls;
    dial.tls_name = settings.tls_name;
    dial.protocols = {"http/1.1"};
    return dial;
}

}  // namespace

HttpClientSettings HttpClientSettings::for_url(HttpUrl url) {
    HttpClientSettings settings;
    settings.append_labels = url.path.starts_with(kWellKnown);
    settings.url = std::move(url);
    return settings;
}

/// A delivery in the queue for a connection.
struct HttpCourier::Waiter {
    explicit Waiter(common::Worker& worker) noexcept : wakeup{worker} {}
    common::Wakeup wakeup;
    bool granted = false;  // a permit was handed over
};

/// The right to hold a connection.
class HttpCourier::Permit {
public:
    explicit Permit(HttpCourier& of) noexcept : courier_{of} {}
    Permit(const Permit&) = delete;
    Permit& operator=(const Permit&) = delete;
    ~Permit() { courier_.release(); }

private:
    HttpCourier& courier_;
};

HttpCourier::HttpCourier(common::Worker& worker, HttpClientSettings settings,
                         HttpClientCounters& counters)
    : worker_{worker},
      settings_{std::move(settings)},
      counters_{counters},
      authority_{settings_.url.authority()},
      dialer_{worker, dial_settings(settings_), counters} {
    if (settings_.url.secure && settings_.tls == nullptr)
        throw std::logic_error("https without a TLS context");
}

HttpCourier::~HttpCourier() = default;

asio::awaitable<ra::Sent> HttpCourier::send(ra::Delivery delivery) {
    counters_.deliveries.add();
    ra::Sent sent = co_await deliver(delivery);
    counters_.ended(sent);
    co_return sent;
}

asio::awaitable<ra::Sent> HttpCourier::deliver(const ra::Delivery& delivery) {
    if (closed_) co_return ra::NotSent{"closed"};
    if (ra::BootClock::now() >= delivery.deadline) co_return ra::NotSent{"deadline"};
    if (in_use_ >= settings_.max_connections && waiting_.size() >= settings_.max_waiting) {
        co_return ra::NotSent{"busy"};
    }
    if (in_use_ < settings_.max_connections && waiting_.empty()) {
        ++in_use_;
    } else {
        const bool granted = co_await acquire(delivery.deadline);
        if (!granted) co_return ra::NotSent{"busy"};
    }
    const Permit permit{*this};

    bool touched = false;  // octets left on an earlier try
    StreamPtr stream = take_idle();
    for (;;) {
        const bool pooled = stream != nullptr;
        if (pooled) {
            counters_.reused.add();
        } else {
            Dialer::Dialed dialed = co_await dialer_.dial(delivery.deadline);
            if (dialed.stream == nullptr) {
                if (touched) co_return ra::Unknown{"reset"};
                co_return ra::NotSent{dialed.why, std::move(dialed.detail)};
            }
            counters_.open.add();
            stream = std::move(dialed.stream);
        }
        Attempt tried = co_await attempt(*stream, delivery);
        if (tried.reusable) {
            keep(std::move(stream));
            co_return std::move(tried.sent);
        }
        drop(std::exchange(stream, nullptr));
        // The peer may have closed a pooled connection while our octets were on their way.
        const bool again = tried.untouched || (tried.silent && delivery.repeatable);
        if (!pooled || !again) {
            if (touched && tried.untouched) co_return ra::Unknown{"reset"};
            co_return std::move(tried.sent);
        }
        touched = !tried.untouched;
        counters_.retried.add();
    }
}

asio::awaitable<bool> HttpCourier::probe(ra::Deadline until) {
    if (closed_ || in_use_ >= settings_.max_connections) co_return false;
    ++in_use_;
    const Permit permit{*this};
    Dialer::Dialed dialed = co_await dialer_.dial(until);
    if (dialed.stream == nullptr) co_return false;
    adopt(std::move(dialed.stream));
    co_return true;
}

asio::awaitable<bool> HttpCourier::acquire(ra::BootTime until) {
    Waiter waiter{worker_};
    waiting_.push_back(&waiter);
    counters_.waiting.add();
    (void)co_await waiter.wakeup.wait(until);
    counters_.waiting.subtract();
    // A permit may have been handed over in the moment the deadline passed.
    if (!waiter.granted) std::erase(waiting_, &waiter);
    co_return waiter.granted;
}

void HttpCourier::release() noexcept {
    if (waiting_.empty()) {
        --in_use_;
        return;
    }
    Waiter& next = *waiting_.front();
    waiting_.pop_front();
    next.granted = true;
    next.wakeup.notify();
}

HttpCourier::StreamPtr HttpCourier::take_idle() noexcept {
    while (!idle_.empty()) {
        StreamPtr stream = std::move(idle_.back().stream);
        idle_.pop_back();
        // Closed meanwhile, or octets nobody asked for: not to be taken for an answer (S-04).
        if (stream->quiet()) return stream;
        counters_.stale.add();
        drop(std::move(stream));
    }
    return nullptr;
}

void HttpCourier::keep(StreamPtr stream) {
    if (closed_) return drop(std::move(stream));
    const auto now = ra::BootClock::now();
    idle_.push_back({std::move(stream), now});
    if (!armed()) worker_.arm(*this, now + kIdleCheck);
}

void HttpCourier::drop(StreamPtr stream) noexcept {
    if (stream == nullptr) return;
    stream->close();
    counters_.open.subtract();
}

void HttpCourier::expired() noexcept {
    const auto now = ra::BootClock::now();
    std::deque<Idle> kept;
    for (Idle& one : idle_) {
        const bool old = now - one.since >= settings_.idle_time;
        if (!old && one.stream->quiet()) {
            kept.push_back(std::move(one));
            continue;
        }
        if (!old) counters_.stale.add();
        drop(std::move(one.stream));
    }
    idle_ = std::move(kept);
    if (!idle_.empty()) worker_.arm(*this, now + kIdleCheck);
}

void HttpCourier::set_tls(common::TlsContextPtr tls) {
    if (tls == dialer_.tls()) return;
    dialer_.set_tls(std::move(tls));
    while (!idle_.empty()) {
        drop(std::move(idle_.back().stream));
        idle_.pop_back();
    }
}

void HttpCourier::adopt(std::unique_ptr<ByteStream> stream) {
    counters_.open.add();
    keep(std::move(stream));
}

void HttpCourier::close() noexcept {
    closed_ = true;
    while (!idle_.empty()) {
        drop(std::move(idle_.back().stream));
        idle_.pop_back();
    }
    for (Waiter* waiter : std::exchange(waiting_, {})) waiter->wakeup.notify();
}

std::string HttpCourier::render_head(const ra::Delivery& delivery) const {
    std::string head;
    head.reserve(256 + authority_.size() + settings_.url.path.size());
    head = "POST ";
    if (settings_.append_labels) {
        head += render_path(settings_.url.path, delivery.label, delivery.operation);
    } else {
        head += settings_.url.path;
    }
    head += " HTTP/1.1\r\nHost: ";
    head += authority_;
    head += "\r\nContent-Type: application/pkixcmp\r\nContent-Length: ";
    std::array<char, 20> length;
    head.append(
        length.data(),
        std::to_chars(length.data(), length.data() + length.size(), delivery.der.size()).ptr);
    head += "\r\nX-Request-Id: ";
    for (const std::uint8_t octet : delivery.trace.octets) {
        constexpr std::string_view kDigits = "0123456789abcdef";
        head += kDigits[octet >> 4U];
        head += kDigits[octet & 0x0fU];
    }
    head += "\r\n\r\n";
    return head;
}

asio::awaitable<HttpCourier::Attempt> HttpCourier::attempt(ByteStream& stream,
                                                           const ra::Delivery& delivery) {
    const std::string head = render_head(delivery);
    stream.expires_at(delivery.deadline);
    error_code error;
    const std::size_t sent = stream.try_write(ra::as_bytes(head), delivery.der, error);
    if (error == asio::error::would_block) {
        error = co_await stream.write(ra::as_bytes(head), delivery.der, sent);
        if (error == asio::error::timed_out) co_return Attempt{ra::Unknown{"deadline"}};
    } else if (error && sent == 0) {
        co_return Attempt{ra::NotSent{"connect"}, true};
    }
    // Even a peer that stopped reading may have said why.
    Attempt tried = co_await read_answer(stream);
    if (error) tried.reusable = false;
    co_return tried;
}

asio::awaitable<HttpCourier::Attempt> HttpCourier::read_answer(ByteStream& stream) {
    ra::Bytes surplus;
    for (int interim = 0; interim <= kMaxInterim; ++interim) {
        ResponseReader reader{settings_.max_header, settings_.max_body};
        Stage stage = surplus.empty() ? Stage::need_more : reader.feed(surplus);
        bool begun = interim != 0 || !surplus.empty();
        bool ended = false;
        while (stage == Stage::need_more) {
            const Ready ready = co_await stream.wait_read();
            if (ready == Ready::timed_out) co_return Attempt{ra::Unknown{"deadline"}};
            if (ready == Ready::closed) co_return Attempt{ra::Unknown{"reset"}};
            const auto scratch = worker_.scratch();
            error_code error;
            const std::size_t got = stream.try_read(scratch, error);
            if (error == asio::error::would_block) continue;
            if (error) {
                ended = error == asio::error::eof;
                stage = ended && begun ? reader.feed_end() : Stage::malformed;
                if (stage == Stage::done) break;
                co_return Attempt{ra::Unknown{"reset"}, false, !begun};
            }
            begun = true;
            stage = reader.feed(ra::ByteView{scratch.data(), got});
        }
        if (stage == Stage::malformed)
            co_return Attempt{ra::Unknown{reader.too_large() ? "too large" : "malformed"}};
        surplus = reader.take_surplus();
        if (reader.status() / 100 == 1) continue;
        const bool reusable = !ended && reader.keep_alive() && surplus.empty();
        co_return Attempt{map_response(reader), false, false, reusable};
    }
    co_return Attempt{ra::Unknown{"malformed"}};
}

}  // namespace transports::http1
