#include "ra/app/couriers.h"

#include <algorithm>
#include <stdexcept>

#include "transports/coap/client.h"
#include "transports/coap/paths.h"
#include "transports/http2/client.h"
#include "transports/tcp/client.h"

namespace ra::app {

using transports::http1::HttpClientCounters;
using transports::http1::HttpClientSettings;
using transports::http1::HttpCourier;
using transports::http2::Http2Courier;
using transports::tcp::TcpClientSettings;
using transports::tcp::TcpCourier;

namespace {

HttpClientSettings http_settings(const config::UpstreamConfig& upstream, const config::Url& url,
                                 const cmp::Limits& limits, transports::common::TlsContextPtr tls) {
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

TcpClientSettings tcp_settings(const config::UpstreamConfig& upstream, const config::Url& url,
                               const cmp::Limits& limits, transports::common::TlsContextPtr tls) {
    TcpClientSettings settings;
    settings.host = url.host;
    settings.port = url.port;
    settings.framing = upstream.tcp_framing == config::TcpFraming::rfc2510
                           ? transports::tcp::Framing::rfc2510
                           : transports::tcp::Framing::versioned;
    settings.max_message = std::max(settings.max_message, limits.message_octets);
    settings.max_connections = upstream.max_connections;
    settings.max_waiting = upstream.max_waiting;
    settings.connect_time = upstream.connect_timeout;
    settings.idle_time = upstream.idle_timeout;
    if (url.is_secure()) settings.tls = std::move(tls);
    if (upstream.tls) settings.tls_name = upstream.tls->name;
    return settings;
}

transports::coap::CoapClientSettings coap_settings(const config::UpstreamConfig& upstream,
                                                   const config::Url& url,
                                                   const cmp::Limits& limits,
                                                   transports::common::TlsContextPtr tls) {
    using transports::coap::Protocol;
    static constexpr std::string_view kWellKnown = "/.well-known/cmp";
    transports::coap::CoapClientSettings settings;
    settings.protocol = url.is_secure() ? Protocol::dtls : Protocol::udp;
    if (url.scheme.ends_with("+tcp"))
        settings.protocol = url.is_secure() ? Protocol::tls : Protocol::tcp;
    settings.host = url.host;
    settings.port = url.port;
    settings.path = url.path.empty() || url.path == "/" ? kWellKnown : url.path;
    settings.append_labels = upstream.append_labels.value_or(settings.path.starts_with(kWellKnown));
    settings.max_in_flight =
        std::min<std::size_t>(settings.max_in_flight, upstream.max_connections);
    settings.max_waiting = upstream.max_waiting;
    settings.max_answer = std::max(settings.max_answer, limits.message_octets);
    settings.connect_time = upstream.connect_timeout;
    settings.idle_time = upstream.idle_timeout;
    if (url.is_secure()) settings.tls = std::move(tls);
    if (upstream.tls) settings.tls_name = upstream.tls->name;
    return settings;
}

}  // namespace

void check_urls(const config::UpstreamConfig& upstream) {
    for (const config::Url& url : upstream.urls) {
        if (url.is_http()) (void)http_settings(upstream, url, cmp::Limits{}, nullptr);
    }
}

std::unique_ptr<transports::http1::TlsCourier> make_courier(
    transports::common::Worker& worker, const Clock& clock, const config::UpstreamConfig& upstream,
    const config::Url& url, const cmp::Limits& limits, HttpClientCounters& counters,
    transports::common::TlsContextPtr tls) {
    using Mode = Http2Courier::Mode;
    if (url.is_coap()) {
        return std::make_unique<transports::coap::CoapCourier>(
            worker, coap_settings(upstream, url, limits, std::move(tls)), counters);
    }
    if (url.is_tcp()) {
        return std::make_unique<TcpCourier>(
            worker, tcp_settings(upstream, url, limits, std::move(tls)), clock, counters);
    }
    HttpClientSettings settings = http_settings(upstream, url, limits, std::move(tls));
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
