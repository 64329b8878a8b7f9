#include "transports/tcp/client.h"

#include <algorithm>
#include <boost/asio/error.hpp>

#include "transports/common/wakeup.h"

namespace transports::tcp {

namespace asio = boost::asio;
using common::ByteStream;
using common::error_code;
using common::Ready;

namespace {

/// Whatever a server says, it is not asked more often.
constexpr std::chrono::seconds kLeastPause{1};

http1::PoolSettings pool_settings(const TcpClientSettings& settings) {
    http1::PoolSettings pool;
    pool.dial.host = settings.host;
    pool.dial.port = settings.port;
    pool.dial.connect_time = settings.connect_time;
    pool.dial.tls = settings.tls;
    pool.dial.tls_name = settings.tls_name;
    pool.max_connections = settings.max_connections;
    pool.max_waiting = settings.max_waiting;
    pool.idle_time = settings.idle_time;
    return pool;
}

ra::Sent delivered(ra::Bytes der) {
    if (der.empty()) return ra::Unknown{"malformed"};
    return ra::Delivered{std::move(der)};
}

/// What a final frame means (ra/exchange.h). Status codes are those HTTP has for it.
ra::Sent map_frame(Frame frame) {
    switch (static_cast<FrameType>(frame.type)) {
        case FrameType::pki_req:  // some toolkits: in both directions
        case FrameType::pki_rep:
            return delivered(std::move(frame.value));
        case FrameType::partial_rep:
            // The message says itself what is still to come.
            if (frame.framing != Framing::rfc2510 || frame.value.size() < 8) break;
            return delivered(ra::Bytes(frame.value.begin() + 8, frame.value.end()));
        case FrameType::fin_rep:
            return ra::RejectedByTransport{204, {}};
        case FrameType::error_rep: {
            const auto error = read_error(frame);
            if (!error) return ra::RejectedByTransport{400, {}};
            if (error == FrameError::version_not_supported) return ra::RejectedByTransport{505, {}};
            const bool of_server = static_cast<unsigned>(*error) >> 8U == 3;
            return ra::RejectedByTransport{of_server ? 500U : 400U, {}};
        }
        default:
            break;
    }
    return ra::Unknown{"malformed"};
}

}  // namespace

TcpCourier::TcpCourier(common::Worker& worker, TcpClientSettings settings, const ra::Clock& clock,
                       http1::HttpClientCounters& counters)
    : PooledCourier{worker, pool_settings(settings), counters},
      settings_{std::move(settings)},
      clock_{clock} {}

asio::awaitable<TcpCourier::Attempt> TcpCourier::attempt(ByteStream& stream,
                                                         const ra::Delivery& delivery) {
    const FrameHead head{settings_.framing, FrameType::pki_req, delivery.der.size(), false};
    stream.expires_at(delivery.deadline);
    error_code error;
    const std::size_t sent = stream.try_write(head.octets(), delivery.der, error);
    if (error == asio::error::would_block) {
        error = co_await stream.write(head.octets(), delivery.der, sent);
        if (error == asio::error::timed_out) co_return Attempt{ra::Unknown{"deadline"}};
    } else if (error && sent == 0) {
        co_return Attempt{ra::NotSent{"connect"}, true};
    }
    // Even a peer that stopped reading may have said why.
    Received got = co_await receive(stream);
    if (!got.whole) co_return std::move(got.otherwise);
    if (static_cast<FrameType>(got.frame.type) == FrameType::poll_rep && !error && !got.surplus)
        co_return co_await poll(stream, std::move(got.frame), delivery.deadline);
    const bool reusable = !error && !got.surplus && !got.frame.close;
    co_return Attempt{map_frame(std::move(got.frame)), false, false, reusable};
}

ra::BootClock::duration TcpCourier::time_to_poll(Framing framing, std::uint32_t check_back) {
    std::chrono::seconds pause{check_back};
    // RFC 2510 says when, the later draft how long.
    if (framing == Framing::rfc2510) pause -= clock_.wall_now().time_since_epoch();
    return std::max(pause, kLeastPause);
}

asio::awaitable<TcpCourier::Attempt> TcpCourier::poll(ByteStream& stream, Frame promise,
                                                      ra::Deadline until) {
    for (;;) {
        const auto promised = read_poll_rep(promise.value);
        if (!promised) co_return Attempt{ra::Unknown{"malformed"}};
        if (promise.close) co_return Attempt{ra::Unknown{"reset"}};
        const auto at = ra::BootClock::now() + time_to_poll(promise.framing, promised->check_back);
        // Asking sooner is not ours to do, and later nobody waits for it.
        if (at >= until) co_return Attempt{ra::Unknown{"deadline"}, false, false, true};
        common::Wakeup pause{worker()};
        (void)co_await pause.wait(at);

        const auto reference = poll_req_value(promised->reference);
        const FrameHead head{promise.framing, FrameType::poll_req, reference.size(), false};
        const error_code error = co_await stream.write(head.octets(), reference);
        if (error) co_return Attempt{ra::Unknown{"reset"}};
        Received got = co_await receive(stream);
        if (!got.whole) co_return Attempt{std::move(got.otherwise.sent)};
        if (static_cast<FrameType>(got.frame.type) == FrameType::poll_rep && !got.surplus) {
            promise = std::move(got.frame);
            continue;
        }
        const bool reusable = !got.surplus && !got.frame.close;
        // The message itself was taken: what the server now refuses is only the question.
        if (static_cast<FrameType>(got.frame.type) == FrameType::error_rep)
            co_return Attempt{ra::Unknown{"poll"}, false, false, reusable};
        co_return Attempt{map_frame(std::move(got.frame)), false, false, reusable};
    }
}

asio::awaitable<TcpCourier::Received> TcpCourier::receive(ByteStream& stream) {
    Received got;
    FrameReader reader{settings_.max_message};
    for (;;) {
        const Ready ready = co_await stream.wait_read();
        if (ready != Ready::ready) {
            got.otherwise.sent = ra::Unknown{ready == Ready::timed_out ? "deadline" : "reset"};
            co_return got;
        }
        const auto scratch = worker().scratch();
        error_code error;
        ra::ByteView octets = scratch.first(stream.try_read(scratch, error));
        if (error == asio::error::would_block) continue;
        if (error) {
            got.otherwise.sent = ra::Unknown{"reset"};
            got.otherwise.silent = !reader.begun();
            co_return got;
        }
        switch (reader.feed(octets)) {
            case FrameReader::Stage::need_more:
                continue;
            case FrameReader::Stage::done:
                got.whole = true;
                got.surplus = !octets.empty();
                got.frame = std::move(reader.frame());
                co_return got;
            case FrameReader::Stage::too_large:
                got.otherwise.sent = ra::Unknown{"too large"};
                co_return got;
            case FrameReader::Stage::malformed:
                got.otherwise.sent = ra::Unknown{"malformed"};
                co_return got;
        }
    }
}

}  // namespace transports::tcp
