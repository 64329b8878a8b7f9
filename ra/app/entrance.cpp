#include "ra/app/entrance.h"

namespace ra::app {

using transports::common::Listener;
using transports::common::ListenerSettings;
using transports::http1::HttpServer;
using transports::http1::HttpServerSettings;

namespace {

HttpServerSettings server_settings(const config::ListenerConfig& listener, const Wiring& wiring) {
    HttpServerSettings settings;
    settings.listener = listener.id;
    settings.aliases = listener.aliases;
    settings.labels = wiring.labels;
    settings.max_body = wiring.settings->limits.message_octets;
    settings.idle_time = listener.idle_timeout;
    settings.receive_time = listener.receive_timeout;
    settings.send_time = listener.send_timeout;
    settings.exchange_time = listener.exchange_timeout;
    settings.max_requests = listener.max_requests;
    return settings;
}

ListenerSettings listener_settings(const config::ListenerConfig& config) {
    ListenerSettings settings;
    settings.address = config.url.host;
    settings.port = config.url.port;
    settings.max_connections = config.max_connections;
    return settings;
}

}  // namespace

Entrance::Entrance(const config::ListenerConfig& config, const Wiring& wiring,
                   transports::common::Workers& workers, const PartsList& parts,
                   std::optional<int> inherited)
    : config_{config} {
    std::vector<Listener::Seat> seats;
    for (std::size_t i = 0; i < workers.size(); ++i) {
        servers_.push_back(std::make_unique<HttpServer>(workers[i], parts[i]->exchange(),
                                                        server_settings(config, wiring),
                                                        parts[i]->server_counters(config.id)));
        seats.push_back({workers[i], *servers_.back()});
    }
    const ListenerSettings settings = listener_settings(config);
    listener_ = inherited ? std::make_unique<Listener>(
                                transports::common::adopt_listen_socket(*inherited, workers.size()),
                                settings, std::move(seats))
                          : std::make_unique<Listener>(settings, std::move(seats));
}

void Entrance::use(const config::ListenerConfig& config, const Wiring& wiring, std::size_t index) {
    servers_[index]->use(server_settings(config, wiring));
}

void Entrance::used(const config::ListenerConfig& config) {
    if (config.max_connections != config_.max_connections) listener_->limit(config.max_connections);
    config_ = config;
}

}  // namespace ra::app
