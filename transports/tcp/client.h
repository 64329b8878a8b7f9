#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <string>

#include "ra/base/time.h"
#include "ra/exchange.h"
#include "transports/http1/pooled_courier.h"
#include "transports/tcp/frame.h"

namespace transports::tcp {

struct TcpClientSettings {
    std::string host;
    std::uint16_t port = 829;
    Framing framing = Framing::versioned;  // of requests; answers are read in both
    std::size_t max_message = 1024 * 1024;
    std::size_t max_connections = 128;
    std::size_t max_waiting = 1024;
    std::chrono::milliseconds connect_time{5'000};
    std::chrono::milliseconds idle_time{30'000};
    common::TlsContextPtr tls;  // null: cleartext
    std::string tls_name;       // whose certificate is wanted; empty: that of the host
};

/// CMP directly over TCP to one address (spec 03 section 4), from one worker. A server that says
/// "poll" is polled until the delivery's deadline.
class TcpCourier final : public http1::PooledCourier {
public:
    /// All but `settings` outlive it; it outlives its deliveries.
    TcpCourier(common::Worker& worker, TcpClientSettings settings, const ra::Clock& clock,
               http1::HttpClientCounters& counters);

private:
    /// What came, or how that ended.
    struct Received {
        bool whole = false;
        bool surplus = false;  // octets behind the frame: nobody asked for them
        Frame frame;
        Attempt otherwise;
    };

    boost::asio::awaitable<Attempt> attempt(common::ByteStream& stream,
                                            const ra::Delivery& delivery) override;
    boost::asio::awaitable<Received> receive(common::ByteStream& stream);
    boost::asio::awaitable<Attempt> poll(common::ByteStream& stream, Frame promise,
                                         ra::Deadline until);
    [[nodiscard]] ra::BootClock::duration time_to_poll(Framing framing, std::uint32_t check_back);

    const TcpClientSettings settings_;
    const ra::Clock& clock_;
};

}  // namespace transports::tcp
