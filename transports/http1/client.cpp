#include "transports/http1/client.h"

#include <algorithm>
#include <array>
#include <boost/asio/error.hpp>
#include <charconv>
#include <stdexcept>
#include <utility>

#include "transports/http1/paths.h"
#include "transports/http1/response_reader.h"

namespace transports::http1 {

namespace asio = boost::asio;
using common::ByteStream;
using common::error_code;
using common::Ready;

namespace {

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

PoolSettings pool_settings(const HttpClientSettings& settings) {
    PoolSettings pool;
    pool.dial.host = settings.url.host;
    pool.dial.port = settings.url.port;
    pool.dial.connect_time = settings.connect_time;
    pool.dial.tls = settings.tls;
    pool.dial.tls_name = settings.tls_name;
    pool.dial.protocols = {"http/1.1"};
    pool.max_connections = settings.max_connections;
    pool.max_waiting = settings.max_waiting;
    pool.idle_time = settings.idle_time;
    return pool;
}

}  // namespace

HttpClientSettings HttpClientSettings::for_url(HttpUrl url) {
    HttpClientSettings settings;
    settings.append_labels = url.path.starts_with(kWellKnown);
    settings.url = std::move(url);
    return settings;
}

HttpCourier::HttpCourier(common::Worker& worker, HttpClientSettings settings,
                         HttpClientCounters& counters)
    : PooledCourier{worker, pool_settings(settings), counters},
      settings_{std::move(settings)},
      authority_{settings_.url.authority()} {
    if (settings_.url.secure && settings_.tls == nullptr)
        throw std::logic_error("https without a TLS context");
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
            const auto scratch = worker().scratch();
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
