#include "ra/app/stream_entrance.h"

#include "ra/app/tls_keeper.h"

namespace ra::app {

using transports::common::Listener;
using transports::common::ListenerSettings;
using transports::http1::HttpServer;
using transports::http1::HttpServerSettings;
using transports::http2::Http2Server;
using transports::tcp::TcpServer;
using transports::tcp::TcpServerSettings;

namespace {

HttpServerSettings http_settings(const config::ListenerConfig& listener, const Wiring& wiring) {
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

TcpServerSettings tcp_settings(const config::ListenerConfig& listener, const Wiring& wiring) {
    TcpServerSettings settings;
    settings.listener = listener.id;
    settings.label = listener.label;
    settings.max_message = wiring.settings->limits.message_octets;
    settings.idle_time = listener.idle_timeout;
    settings.receive_time = listener.receive_timeout;
    settings.send_time = listener.send_timeout;
    settings.exchange_time = listener.exchange_timeout;
    settings.poll_after = listener.poll_after;
    settings.check_back = listener.check_back;
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

void StreamEntrance::open(const Parts& with,
                          const std::vector<transports::common::ConnectionHandler*>& handlers) {
    std::vector<Listener::Seat> seats;
    for (std::size_t i = 0; i < handlers.size(); ++i)
        seats.push_back({with.workers[i], *handlers[i]});
    const ListenerSettings settings = listener_settings(config_, with.wiring, log_);
    listener_ = with.inherited
                    ? std::make_unique<Listener>(transports::common::adopt_listen_socket(
                                                     *with.inherited, with.workers.size()),
                                                 settings, std::move(seats))
                    : std::make_unique<Listener>(settings, std::move(seats));
}

void StreamEntrance::used(const config::ListenerConfig& config, const Wiring& wiring) {
    listener_->use(listener_settings(config, wiring, log_));
    Entrance::used(config, wiring);
}

HttpEntrance::HttpEntrance(const config::ListenerConfig& config, const Parts& with)
    : StreamEntrance{config, with} {
    std::vector<transports::common::ConnectionHandler*> handlers;
    const HttpServerSettings settings = http_settings(config, with.wiring);
    for (std::size_t i = 0; i < with.workers.size(); ++i) {
        WorkerParts& parts = *with.parts[i];
        servers_.push_back(std::make_unique<HttpServer>(with.workers[i], parts.exchange(), settings,
                                                        parts.server_counters(config.id)));
        http2_.push_back(std::make_unique<Http2Server>(with.workers[i], parts.exchange(), settings,
                                                       parts.server_counters(config.id)));
        open_http2(i, config.http2);
        handlers.push_back(servers_.back().get());
    }
    open(with, handlers);
}

void HttpEntrance::use(const config::ListenerConfig& config, const Wiring& wiring,
                       std::size_t index) {
    servers_[index]->use(http_settings(config, wiring));
    http2_[index]->use(http_settings(config, wiring));
    open_http2(index, config.http2);
}

void HttpEntrance::leave(std::size_t index) noexcept {
    servers_[index].reset();
    http2_[index].reset();
}

void HttpEntrance::open_http2(std::size_t index, bool open) {
    servers_[index]->set_http2(open ? http2_[index].get() : nullptr);
}

TcpEntrance::TcpEntrance(const config::ListenerConfig& config, const Parts& with)
    : StreamEntrance{config, with},
      polls_{std::make_shared<transports::tcp::PollTable>(transports::tcp::PollTable::Settings{})} {
    std::vector<transports::common::ConnectionHandler*> handlers;
    for (std::size_t i = 0; i < with.workers.size(); ++i) {
        WorkerParts& parts = *with.parts[i];
        servers_.push_back(std::make_unique<TcpServer>(with.workers[i], parts.exchange(), polls_,
                                                       clock_, tcp_settings(config, with.wiring),
                                                       parts.tcp_counters(config.id)));
        handlers.push_back(servers_.back().get());
    }
    open(with, handlers);
}

void TcpEntrance::use(const config::ListenerConfig& config, const Wiring& wiring,
                      std::size_t index) {
    servers_[index]->use(tcp_settings(config, wiring));
}

}  // namespace ra::app
