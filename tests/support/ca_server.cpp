#include "tests/support/ca_server.h"

namespace test {

namespace {

transports::http1::HttpServerSettings http_settings() {
    transports::http1::HttpServerSettings settings;
    settings.aliases = {"/", "/pkix/"};
    return settings;
}

transports::common::ListenerSettings listener_settings(std::uint16_t port) {
    transports::common::ListenerSettings settings;
    settings.port = port;
    return settings;
}

}  // namespace

CaServer::CaServer(ra::Exchange& ca, std::uint16_t port)
    : workers_{1, [this](std::string_view, std::exception_ptr) { ++faults_; }},
      server_{workers_[0], ca, http_settings(), counters_},
      listener_{listener_settings(port), {{workers_[0], server_}}} {
    listener_.start();
    workers_.start();
}

CaServer::~CaServer() {
    listener_.stop();
    workers_.drain(ra::BootClock::now() + std::chrono::milliseconds{200});
    workers_.stop();
}

std::string CaServer::url() const {
    return "http://127.0.0.1:" + std::to_string(port()) + "/.well-known/cmp";
}

}  // namespace test
