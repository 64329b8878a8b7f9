#include "ra/app/coap_host.h"

#include <exception>
#include <semaphore>

#include "ra/app/faults.h"
#include "ra/app/tls_keeper.h"

namespace ra::app {

using transports::coap::CoapServer;
using transports::coap::CoapServerSettings;
using transports::coap::Protocol;

namespace {

Protocol protocol_of(const std::string& scheme) noexcept {
    if (scheme == "coaps") return Protocol::dtls;
    if (scheme == "coap+tcp") return Protocol::tcp;
    if (scheme == "coaps+tcp") return Protocol::tls;
    return Protocol::udp;
}

CoapServerSettings server_settings(const config::ListenerConfig& listener, const Wiring& wiring) {
    CoapServerSettings settings;
    settings.listener = listener.id;
    settings.protocol = protocol_of(listener.url.scheme);
    settings.address = listener.url.host;
    settings.port = listener.url.port;
    settings.max_sessions = listener.max_connections;
    settings.idle_time = listener.idle_timeout;
    settings.exchange_time = listener.exchange_timeout;
    settings.tls = wiring.tls->listener(listener.name);
    settings.desk.aliases = listener.aliases;
    settings.desk.labels = wiring.labels;
    settings.desk.bodies.message = wiring.settings->limits.message_octets;
    settings.desk.bodies.silence = listener.receive_timeout;
    return settings;
}

}  // namespace

CoapHost::CoapHost(Log& log) : thread_{1, fault_log(log), "coap-"} {}

CoapHost::~CoapHost() { stop(); }

void CoapHost::start() {
    if (started_.exchange(true)) return;
    thread_.start();
}

void CoapHost::run(const std::function<void()>& work) {
    if (!started_) return work();
    // What was thrown belongs to whoever waits before it is woken.
    std::exception_ptr fault;
    std::binary_semaphore done{0};
    thread_[0].post([&] {
        try {
            work();
        } catch (...) {
            fault = std::current_exception();
        }
        done.release();
    });
    done.acquire();
    if (fault) std::rethrow_exception(fault);
}

void CoapHost::stop() {
    thread_.stop();
    started_ = false;
}

CoapEntrance::CoapEntrance(const config::ListenerConfig& config, const Wiring& wiring,
                           CoapHost& host, transports::common::Workers& workers,
                           const PartsList& parts)
    : Entrance{config}, host_{host}, counters_{host.counters(config.name)} {
    std::vector<CoapServer::Seat> seats;
    for (std::size_t i = 0; i < workers.size(); ++i)
        seats.push_back({workers[i], parts[i]->exchange()});
    CoapServerSettings settings = server_settings(config, wiring);
    // Nobody has a key until set_psks().
    if (config.psk) settings.psks = std::make_shared<transports::coap::PskTable>();
    host_.run([&] {
        server_ =
            std::make_unique<CoapServer>(host_.worker(), settings, std::move(seats), counters_);
        server_->stop(true);
    });
}

CoapEntrance::~CoapEntrance() {
    host_.run([this] { server_.reset(); });
}

void CoapEntrance::start() {
    host_.run([this] { server_->stop(false); });
}

void CoapEntrance::used(const config::ListenerConfig& config, const Wiring& wiring) {
    host_.run([&] { server_->use(server_settings(config, wiring)); });
    Entrance::used(config, wiring);
}

void CoapEntrance::set_tls(transports::common::TlsContextPtr tls) {
    host_.run([&] { server_->set_tls(std::move(tls)); });
}

void CoapEntrance::set_psks(transports::coap::PskTablePtr psks) {
    host_.run([&] { server_->set_psks(std::move(psks)); });
}

void CoapEntrance::stop() {
    host_.run([this] { server_->stop(true); });
}

bool CoapEntrance::deserted() const noexcept {
    bool quiet = false;
    host_.run([&] { quiet = server_->quiet(); });
    return quiet;
}

}  // namespace ra::app
