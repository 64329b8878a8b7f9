#include "ra/app/entrance.h"

#include "ra/app/tls_keeper.h"

namespace ra::app {

using transports::common::Listener;
using transports::common::ListenerSettings;
using transports::http1::HttpServer;
using transports::http1::HttpServerSettings;
using transports::http2::Http2Server;

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

ListenerSettings listener_settings(const config::ListenerConfig& config, const Wiring& wiring,
                                   Log& log) {
    ListenerSettings settings;
    settings.address = config.url.host;
    settings.port = config.url.port;
    settings.max_connections = config.max_connections;
    settings.tls = wiring.tls->listener(config.name);
    settings.opening_time = config.receive_timeout;
    for (const auto& network : config.proxy_networks)
        settings.proxies.push_back(transports::common::Network::parse(network.value));
    // Anybody can make a handshake fail: only who looks for it sees it.
    settings.tls_fault = [&log, name = config.name](const PeerFacts& peer,
                                                    const transports::common::TlsFault& fault) {
        if (!log.wants(Log::Level::debug)) return;
        log.write(Log::Level::debug, "tls-failed",
                  {{"listener", std::string_view{name}},
                   {"peer", std::string_view{peer.address}},
                   {"detail", std::string_view{fault.detail}}});
    };
    return settings;
}

}  // namespace

Entrance::Entrance(const config::ListenerConfig& config, const Wiring& wiring,
                   transports::common::Workers& workers, const PartsList& parts, Log& log,
                   std::optional<int> inherited)
    : log_{log}, config_{config} {
    std::vector<Listener::Seat> seats;
    for (std::size_t i = 0; i < workers.size(); ++i) {
        servers_.push_back(std::make_unique<HttpServer>(workers[i], parts[i]->exchange(),
                                                        server_settings(config, wiring),
                                                        parts[i]->server_counters(config.id)));
        http2_.push_back(std::make_unique<Http2Server>(workers[i], parts[i]->exchange(),
                                                       server_settings(config, wiring),
                                                       parts[i]->server_counters(config.id)));
        open_http2(i, config.http2);
        seats.push_back({workers[i], *servers_.back()});
    }
    const ListenerSettings settings = listener_settings(config, wiring, log);
    listener_ = inherited ? std::make_unique<Listener>(
                                transports::common::adopt_listen_socket(*inherited, workers.size()),
                                settings, std::move(seats))
                          : std::make_unique<Listener>(settings, std::move(seats));
}

void Entrance::use(const config::ListenerConfig& config, const Wiring& wiring, std::size_t index) {
    servers_[index]->use(server_settings(config, wiring));
    http2_[index]->use(server_settings(config, wiring));
    open_http2(index, config.http2);
}

void Entrance::open_http2(std::size_t index, bool open) {
    servers_[index]->set_http2(open ? http2_[index].get() : nullptr);
}

void Entrance::used(const config::ListenerConfig& config, const Wiring& wiring) {
    listener_->use(listener_settings(config, wiring, log_));
    config_ = config;
}

}  // namespace ra::app
