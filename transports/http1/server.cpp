#include "transports/http1/server.h"

#include <boost/asio/error.hpp>

#include "transports/http1/replies.h"

namespace transports::http1 {

namespace asio = boost::asio;
using common::ByteStream;
using common::error_code;
using common::Ready;

namespace {

constexpr std::string_view kBusy =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 1\r\n"
    "Connection: close\r\n\r\n";
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
// What is read and thrown away so that a refused client sees our answer instead of a reset.
constexpr std::size_t kLingerOctets = 1024 * 1024;
constexpr std::chrono::seconds kLingerTime{2};

/// Some clients end a body with a line break that no length counts (RFC 9112 2.2).
void skip_line_breaks(ra::ByteView& octets) noexcept {
    while (!octets.empty() && (octets[0] == '\r' || octets[0] == '\n')) octets = octets.subspan(1);
}

}  // namespace

HttpServer::HttpServer(common::Worker& worker, ra::Exchange& exchange, HttpServerSettings settings,
                       HttpServerCounters& counters)
    : worker_{worker}, exchange_{exchange}, counters_{counters} {
    use(std::move(settings));
}

void HttpServer::use(HttpServerSettings settings) {
    auto rules = std::make_shared<Rules>();
    rules->known_paths = describe_paths(settings.aliases, settings.labels);
    rules->settings = std::move(settings);
    rules_ = std::move(rules);
}

ra::ByteView HttpServer::busy() const noexcept { return ra::as_bytes(kBusy); }

asio::awaitable<void> HttpServer::serve(ByteStream& stream) {
    if (http2_ != nullptr && stream.protocol() == "h2" && !ending())
        return http2_->serve_from(stream, {});
    return serve_http1(stream);
}

asio::awaitable<void> HttpServer::serve_http1(ByteStream& stream) {
    std::uint32_t served = 0;
    // Under TLS nothing but ALPN says h2 (RFC 9113 3.3).
    bool unknown = http2_ != nullptr && stream.protocol().empty();
    while (!ending()) {
        stream.expires_after(rules_->settings.idle_time);
        stream.set_idle(true);
        const Ready ready = co_await stream.wait_read();
        stream.set_idle(false);
        if (ready != Ready::ready) {
            if (ready == Ready::timed_out) counters_.idle_closed.add();
            break;
        }
        ra::Bytes first;
        if (std::exchange(unknown, false)) {
            const bool http2 = co_await is_http2(stream, first);
            if (http2 && http2_ != nullptr)
                co_return co_await http2_->serve_from(stream, std::move(first));
        }
        // What receiving needs lives in this frame: an idle connection has none of it.
        const Next next = co_await serve_ready(stream, served, std::move(first));
        if (next == Next::close) break;
    }
    stream.close();
}

/// Whether the connection begins as HTTP/2 does with prior knowledge (RFC 9113 3.4). `first`: what
/// was read to find out.
asio::awaitable<bool> HttpServer::is_http2(ByteStream& stream, ra::Bytes& first) {
    constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    stream.expires_after(rules_->settings.receive_time);
    for (;;) {
        const auto scratch = worker_.scratch();
        error_code error;
        const std::size_t got = stream.try_read(scratch, error);
        ra::append(first, ra::ByteView{scratch.data(), got});
        if (error && error != asio::error::would_block) co_return false;
        const std::size_t common = std::min(first.size(), kPreface.size());
        if (ra::as_text(first).substr(0, common) != kPreface.substr(0, common)) co_return false;
        if (common == kPreface.size()) co_return true;
        if (common == 0) co_return false;
        stream.quick_ack();
        const Ready ready = co_await stream.wait_read();
        if (ready != Ready::ready) co_return false;
    }
}

/// Serves what has come and what was pipelined behind it; `done`: nothing is left over. `surplus`:
/// what was read already.
asio::awaitable<HttpServer::Next> HttpServer::serve_ready(ByteStream& stream, std::uint32_t& served,
                                                          ra::Bytes surplus) {
    do {
        const std::shared_ptr<const Rules> rules = rules_;
        const HttpServerSettings& settings = rules->settings;
        RequestReader reader{settings.max_header, settings.max_body, settings.aliases};
        Next next = co_await receive(stream, *rules, reader, surplus);
        if (next != Next::request) co_return next;
        surplus = reader.take_surplus();
        next = co_await answer(stream, *rules, reader, served);
        if (next == Next::close) co_return next;
    } while (!surplus.empty());
    co_return Next::done;
}

asio::awaitable<HttpServer::Next> HttpServer::receive(ByteStream& stream, const Rules& rules,
                                                      RequestReader& reader, ra::Bytes& surplus) {
    bool begun = false;      // the first octet came; its deadline runs
    bool continued = false;  // "100 Continue" was sent
    ra::Bytes first = std::move(surplus);
    surplus.clear();
    for (;;) {
        ra::ByteView octets = first;
        error_code error;
        if (first.empty()) {
            const auto scratch = worker_.scratch();
            octets = scratch.first(stream.try_read(scratch, error));
            if (error && error != asio::error::would_block) co_return Next::close;
        }
        if (!begun) skip_line_breaks(octets);
        if (octets.empty() && !begun) {
            if (error || first.empty()) co_return Next::done;
        }
        if (!octets.empty()) {
            const Stage stage = reader.feed(octets);
            if (stage == Stage::done) co_return Next::request;
            if (stage == Stage::malformed) {
                co_await refuse(stream, rules, reader.refusal());
                co_return Next::close;
            }
        }
        first.clear();
        if (!begun && !octets.empty()) {
            begun = true;
            stream.expires_after(rules.settings.receive_time);
        }
        if (!begun) co_return Next::done;
        if (reader.wants_continue() && !continued) {
            continued = true;
            const error_code failed = co_await stream.write(ra::as_bytes(kContinue));
            if (failed) co_return Next::close;
        }
        stream.quick_ack();
        const Ready ready = co_await stream.wait_read();
        if (ready == Ready::timed_out) {
            counters_.timeouts.add();
            co_await refuse(stream, rules, 408);
        }
        if (ready != Ready::ready) co_return Next::close;
    }
}

asio::awaitable<HttpServer::Next> HttpServer::answer(ByteStream& stream, const Rules& rules,
                                                     RequestReader& reader, std::uint32_t& served) {
    PathFacts path = reader.take_path();
    ra::Arrival arrival;
    arrival.der = reader.take_body();
    arrival.listener = rules.settings.listener;
    arrival.label = std::move(path.label);
    arrival.advised = path.operation;
    arrival.peer = stream.peer();
    arrival.deadline = ra::BootClock::now() + rules.settings.exchange_time;
    worker_.random().fill(arrival.trace.octets);

    counters_.requests.add();
    if (served++ != 0) counters_.reused.add();
    HeadFacts facts;
    facts.trace = arrival.trace;
    bool broken = false;
    ra::Reply reply = ra::NotCmp{};
    try {
        reply = co_await exchange_.exchange(std::move(arrival));
    } catch (...) {
        broken = true;
        worker_.report("exchange", std::current_exception());
    }
    const ra::ByteView content = map_reply(reply, rules.known_paths, facts);
    if (broken) facts.status = 500;
    facts.close = !reader.keep_alive() || ending() ||
                  (rules.settings.max_requests != 0 && served >= rules.settings.max_requests);
    facts.say_keep_alive = reader.http_1_0();
    const bool sent = co_await send(stream, rules, facts, content);
    if (!sent) {
        counters_.dropped_replies.add();
        co_return Next::close;
    }
    if (!facts.close) co_return Next::done;
    stream.shutdown_write();
    co_return Next::close;
}

asio::awaitable<bool> HttpServer::send(ByteStream& stream, const Rules& rules, HeadFacts facts,
                                       ra::ByteView content) {
    facts.content_length = content.size();
    facts.date = date_.now();
    counters_.status(facts.status);
    const ResponseHead head{facts};
    error_code error;
    const std::size_t sent = stream.try_write(head.octets(), content, error);
    if (!error) co_return true;
    if (error != asio::error::would_block) co_return false;
    stream.expires_after(rules.settings.send_time);
    error = co_await stream.write(head.octets(), content, sent);
    co_return !error;
}

asio::awaitable<void> HttpServer::refuse(ByteStream& stream, const Rules& rules, unsigned status) {
    HeadFacts facts;
    facts.status = status;
    facts.close = true;
    worker_.random().fill(facts.trace.octets);
    ra::ByteView content;
    if (status == 404) {
        facts.content_type = kPlainText;
        content = ra::as_bytes(rules.known_paths);
    }
    const bool sent = co_await send(stream, rules, facts, content);
    if (sent) co_await linger(stream);
}

asio::awaitable<void> HttpServer::linger(ByteStream& stream) {
    stream.shutdown_write();
    stream.expires_after(kLingerTime);
    for (std::size_t seen = 0; seen < kLingerOctets;) {
        error_code error;
        seen += stream.try_read(worker_.scratch(), error);
        if (error && error != asio::error::would_block) co_return;
        if (!error) continue;
        const Ready ready = co_await stream.wait_read();
        if (ready != Ready::ready) co_return;
    }
}

}  // namespace transports::http1
