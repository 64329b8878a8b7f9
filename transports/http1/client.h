#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <string>

#include "ra/exchange.h"
#include "transports/common/byte_stream.h"
#include "transports/http1/pooled_courier.h"
#include "transports/http1/url.h"

namespace transports::http1 {

struct HttpClientSettings {
    HttpUrl url;
    /// Whether label and operation of a delivery are appended to the URL's path. Many CAs know
    /// neither; those under /.well-known/cmp do (spec 03 1.1).
    bool append_labels = false;
    std::size_t max_connections = 128;
    std::size_t max_waiting = 1024;  // deliveries waiting for a connection; more: NotSent "busy"
    std::size_t max_header = 16 * 1024;
    std::size_t max_body = 1024 * 1024;
    std::chrono::milliseconds connect_time{5'000};  // for each address
    std::chrono::milliseconds idle_time{30'000};    // a pooled connection is closed after it
    common::TlsContextPtr tls;                      // null: cleartext
    std::string tls_name;  // whose certificate is wanted; empty: that of the URL's host

    /// For `url`, with append_labels as its path suggests.
    [[nodiscard]] static HttpClientSettings for_url(HttpUrl url);
};

/// CMP over HTTP/1.1 to one URL (RFC 9811), from one worker; redirections are not followed.
class HttpCourier final : public PooledCourier {
public:
    /// `worker` and `counters` outlive it; it outlives its deliveries.
    HttpCourier(common::Worker& worker, HttpClientSettings settings, HttpClientCounters& counters);

private:
    boost::asio::awaitable<Attempt> attempt(common::ByteStream& stream,
                                            const ra::Delivery& delivery) override;
    boost::asio::awaitable<Attempt> read_answer(common::ByteStream& stream);
    [[nodiscard]] std::string render_head(const ra::Delivery& delivery) const;

    HttpClientSettings settings_;
    std::string authority_;
};

}  // namespace transports::http1
