#include "ra/app/couriers.h"

#include <algorithm>
#include <stdexcept>

#include "transports/http2/client.h"

namespace ra::app {

using transports::http1::HttpClientCounters;
using transports::http1::HttpClientSettings;
using transports::http1::HttpCourier;
using transports::http2::Http2Courier;

HttpClientSettings client_settings(const config::UpstreamConfig& upstream, const config::Url& url,
                                   const cmp::Limits& limits,
                                   transports::common::TlsContextPtr tls) {
    auto parsed = transports::http1::parse_http_url(url.text);
    if (!parsed)
        throw std::runtime_error("upstream " + upstream.name + ": " + url.text + " is no http URL");
    HttpClientSettings settings = HttpClientSettings::for_url(std::move(*parsed));
    if (upstream.append_labels) settings.append_labels = *upstream.append_labels;
    settings.max_connections = upstream.max_connections;
    settings.max_waiting = upstream.max_waiting;
    // The CA's answer carries chains: larger than what a device may send, and no less bounded.
    settings.max_body = std::max(settings.max_body, limits.message_octets);
    settings.connect_time = upstream.connect_timeout;
    settings.idle_time = upstream.idle_timeout;
    if (settings.url.secure) settings.tls = std::move(tls);
    if (upstream.tls) settings.tls_name = upstream.tls->name;
    return settings;
}

std::unique_ptr<transports::http1::TlsCourier> make_courier(transports::common::Worker& worker,
                                                            const config::UpstreamConfig& upstream,
                                                            const config::Url& url,
                                                            const cmp::Limits& limits,
                                                            HttpClientCounters& counters,
                                                            transports::common::TlsContextPtr tls) {
    using Mode = Http2Courier::Mode;
    HttpClientSettings settings = client_settings(upstream, url, limits, std::move(tls));
    const bool secure = settings.url.secure;
    if (upstream.http2 == config::UpstreamHttp2::prior_knowledge) {
        return std::make_unique<Http2Courier>(worker, std::move(settings), Mode::prior_knowledge,
                                              counters);
    }
    if (upstream.http2 == config::UpstreamHttp2::negotiated && secure) {
        return std::make_unique<Http2Courier>(worker, std::move(settings), Mode::negotiated,
                                              counters);
    }
    return std::make_unique<HttpCourier>(worker, std::move(settings), counters);
}

}  // namespace ra::app
