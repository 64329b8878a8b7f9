#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "ra/app/wiring.h"
#include "ra/app/worker_parts.h"
#include "transports/common/listener.h"
#include "transports/common/workers.h"
#include "transports/http1/server.h"
#include "transports/http2/server.h"

namespace ra::app {

/// One listener of the process: its sockets and what serves its connections, one a worker. Lives
/// over reloads that keep its address.
class Entrance {
public:
    using PartsList = std::vector<std::unique_ptr<WorkerParts>>;

    /// Binds (or takes over `inherited`); throws std::runtime_error naming the address. Nothing is
    /// accepted before start().
    Entrance(const config::ListenerConfig& config, const Wiring& wiring,
             transports::common::Workers& workers, const PartsList& parts, Log& log,
             std::optional<int> inherited);

    /// On worker `index`: serves by this configuration from now on.
    void use(const config::ListenerConfig& config, const Wiring& wiring, std::size_t index);
    /// The rest of it, once every worker does.
    void used(const config::ListenerConfig& config, const Wiring& wiring);
    /// From any thread: other files behind its TLS.
    void set_tls(transports::common::TlsContextPtr tls) { listener_->set_tls(std::move(tls)); }

    void start() { listener_->start(); }
    /// From the main thread: takes no more, and what is open ends after its exchange.
    void retire() { listener_->retire(); }
    void stop() { listener_->stop(); }
    /// Retired, and nobody is here any more.
    [[nodiscard]] bool deserted() const noexcept { return listener_->open() == 0; }
    /// On worker `index`: what it had there goes.
    void leave(std::size_t index) noexcept {
        servers_[index].reset();
        http2_[index].reset();
    }

    [[nodiscard]] const config::ListenerConfig& config() const noexcept { return config_; }
    [[nodiscard]] const transports::common::Listener& listener() const noexcept {
        return *listener_;
    }

private:
    Log& log_;
    config::ListenerConfig config_;
    void open_http2(std::size_t index, bool open);

    std::vector<std::unique_ptr<transports::http2::Http2Server>> http2_;   // by worker
    std::vector<std::unique_ptr<transports::http1::HttpServer>> servers_;  // by worker
    std::unique_ptr<transports::common::Listener> listener_;
};

}  // namespace ra::app
