#include "ra/app/couriers.h"

#include <algorithm>
#include <stdexcept>

namespace ra::app {

using transports::http1::HttpClientCounters;
using transports::http1::HttpClientSettings;
using transports::http1::HttpCourier;

HttpClientSettings client_settings(const config::UpstreamConfig& upstream, const config::Url& url,
                                   const cmp::Limits& limits) {
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
    return settings;
}

std::unique_ptr<Courier> make_courier(transports::common::Worker& worker,
                                      const config::UpstreamConfig& upstream,
                                      const config::Url& url, const cmp::Limits& limits,
                                      HttpClientCounters& counters) {
    return std::make_unique<HttpCourier>(worker, client_settings(upstream, url, limits), counters);
}

}  // namespace ra::app
