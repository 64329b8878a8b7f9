#include "ra/app/worker_parts.h"

#include <stdexcept>

namespace ra::app {

using transports::common::Worker;
using transports::http1::HttpClientSettings;
using transports::http1::HttpCourier;
using transports::http1::HttpServerSettings;

namespace {

HttpServerSettings server_settings(const config::ListenerConfig& listener, std::size_t index,
                                   const WorkerParts::Shared& shared) {
    HttpServerSettings settings;
    settings.listener = static_cast<ListenerId>(index);
    settings.aliases = listener.aliases;
    settings.labels = shared.labels;
    settings.max_body = shared.settings->limits.message_octets;
    settings.idle_time = listener.idle_timeout;
    settings.receive_time = listener.receive_timeout;
    settings.send_time = listener.send_timeout;
    settings.exchange_time = listener.exchange_timeout;
    settings.max_requests = listener.max_requests;
    return settings;
}

HttpClientSettings client_settings(const config::UpstreamConfig& upstream, const config::Url& url,
                                   const WorkerParts::Shared& shared) {
    auto parsed = transports::http1::parse_http_url(url.text);
    if (!parsed)
        throw std::runtime_error("upstream " + upstream.name + ": " + url.text + " is no http URL");
    HttpClientSettings settings = HttpClientSettings::for_url(std::move(*parsed));
    if (upstream.append_labels) settings.append_labels = *upstream.append_labels;
    settings.max_connections = upstream.max_connections;
    settings.max_waiting = upstream.max_waiting;
    // The CA's answer carries chains: larger than what a device may send, and no less bounded.
    settings.max_body = std::max(settings.max_body, shared.settings->limits.message_octets);
    settings.connect_time = upstream.connect_timeout;
    settings.idle_time = upstream.idle_timeout;
    return settings;
}

}  // namespace

WorkerParts::WorkerParts(Worker& worker, const Shared& shared)
    : messages_{shared.listeners.size()},
      audit_{shared.log, messages_, shared.listeners},
      chains_{shared.clock} {
    for (const config::UpstreamConfig& upstream : shared.config.upstreams)
        connect(worker, upstream, shared);

    std::map<std::string, gateway::Upstream*> upstreams;
    for (const auto& [name, upstream] : upstreams_) upstreams.emplace(name, upstream.get());
    gateway_ = std::make_unique<gateway::Gateway>(
        gateway::Services{shared.store, shared.inventory, std::move(upstreams), audit_, shared.cpu,
                          shared.clock, worker, worker.random(), chains_, &shared.secrets,
                          &shared.kdf},
        shared.settings);

    for (std::size_t i = 0; i < shared.config.listeners.size(); ++i) {
        server_counters_.emplace_back();
        servers_.emplace_back(worker, *gateway_,
                              server_settings(shared.config.listeners[i], i, shared),
                              server_counters_.back());
    }
}

void WorkerParts::connect(Worker& worker, const config::UpstreamConfig& upstream,
                          const Shared& shared) {
    auto& counters = client_counters_.emplace_back();
    if (upstream.is_lab_ca()) {
        if (shared.lab_ca == nullptr)
            throw std::runtime_error("upstream " + upstream.name + ": no lab CA was made");
        upstreams_.emplace(upstream.name, std::make_unique<upstream::Local>(*shared.lab_ca));
        return;
    }
    std::vector<Courier*> urls;
    for (const config::Url& url : upstream.urls) {
        couriers_.push_back(std::make_unique<HttpCourier>(
            worker, client_settings(upstream, url, shared), counters));
        urls.push_back(couriers_.back().get());
    }
    upstream::ClientSettings settings;
    settings.resend_identical = upstream.resend_identical;
    upstreams_.emplace(upstream.name,
                       std::make_unique<upstream::Client>(std::move(urls), shared.clock, settings));
}

void WorkerParts::close_upstreams() noexcept {
    for (const auto& courier : couriers_) courier->close();
}

}  // namespace ra::app
