#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <vector>

#include "transports/http1/client.h"

namespace transports::http2 {

class ClientConnection;

/// CMP over HTTP/2 to one URL, from one worker: many messages at a time over few connections. Where
/// the server does not agree on h2 (ALPN), over HTTP/1.1.
class Http2Courier final : public http1::TlsCourier {
public:
    enum class Mode : std::uint8_t {
        negotiated,       // over TLS
        prior_knowledge,  // the server is known to speak it: over TLS or in cleartext
    };

    /// `worker` and `counters` outlive it; it outlives its deliveries.
    Http2Courier(common::Worker& worker, http1::HttpClientSettings settings, Mode mode,
                 http1::HttpClientCounters& counters);
    ~Http2Courier() override;

    boost::asio::awaitable<ra::Sent> send(ra::Delivery delivery) override;
    boost::asio::awaitable<bool> probe(ra::Deadline until) override;
    void close() noexcept override;
    void set_tls(common::TlsContextPtr tls) override;

private:
    using ConnectionPtr = std::shared_ptr<ClientConnection>;
    struct Waiter;
    /// Where a delivery may go.
    struct Route {
        ConnectionPtr connection;  // null: see below
        bool http1 = false;
        bool fresh = false;  // made for this delivery
        ra::NotSent fault{"connect"};
    };

    boost::asio::awaitable<ra::Sent> deliver(const ra::Delivery& delivery, Route route);
    boost::asio::awaitable<Route> route(ra::BootTime until);
    boost::asio::awaitable<Route> dial(ra::BootTime until);
    [[nodiscard]] ConnectionPtr best();
    void wake(const Route& route);
    void retire_all() noexcept;

    common::Worker& worker_;
    http1::HttpClientSettings settings_;
    Mode mode_;
    http1::HttpClientCounters& counters_;
    std::string authority_;
    http1::Dialer dialer_;
    http1::HttpCourier http1_;
    std::vector<ConnectionPtr> connections_;
    std::vector<Waiter*> waiting_;
    ra::BootTime http1_until_{};  // the server was found not to speak HTTP/2
    bool dialing_ = false;
    bool closed_ = false;
};

}  // namespace transports::http2
