#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "ra/app/entrance.h"
#include "transports/http1/server.h"
#include "transports/http2/server.h"
#include "transports/tcp/server.h"

namespace ra::app {

/// A listener with connections: its sockets, one a worker.
class StreamEntrance : public Entrance {
public:
    /// What it is made of; all of it outlives the constructor, `workers`, `parts` and `log` this.
    struct Parts {
        const Wiring& wiring;
        transports::common::Workers& workers;
        const PartsList& parts;
        Log& log;
        std::optional<int> inherited;
    };

    void used(const config::ListenerConfig& config, const Wiring& wiring) override;
    void set_tls(transports::common::TlsContextPtr tls) override {
        listener_->set_tls(std::move(tls));
    }
    void start() override { listener_->start(); }
    void retire() override { listener_->retire(); }
    void stop() override { listener_->stop(); }
    [[nodiscard]] bool deserted() const noexcept override { return listener_->open() == 0; }
    [[nodiscard]] const std::string& address() const noexcept override { return listener_->text(); }
    [[nodiscard]] std::uint16_t port() const noexcept override { return listener_->port(); }
    [[nodiscard]] const transports::common::ListenerCounters* connections(
        std::size_t index) const noexcept override {
        return &listener_->counters(index);
    }

protected:
    StreamEntrance(const config::ListenerConfig& config, const Parts& with)
        : Entrance{config}, log_{with.log} {}
    /// Binds: once there are handlers, one a worker.
    void open(const Parts& with,
              const std::vector<transports::common::ConnectionHandler*>& handlers);

private:
    Log& log_;
    std::unique_ptr<transports::common::Listener> listener_;
};

/// http and https: HTTP/1 and, where it is switched on, HTTP/2.
class HttpEntrance final : public StreamEntrance {
public:
    HttpEntrance(const config::ListenerConfig& config, const Parts& with);
    void use(const config::ListenerConfig& config, const Wiring& wiring,
             std::size_t index) override;
    void leave(std::size_t index) noexcept override;

private:
    void open_http2(std::size_t index, bool open);

    std::vector<std::unique_ptr<transports::http2::Http2Server>> http2_;   // by worker
    std::vector<std::unique_ptr<transports::http1::HttpServer>> servers_;  // by worker
};

/// tcp and tcps.
class TcpEntrance final : public StreamEntrance {
public:
    TcpEntrance(const config::ListenerConfig& config, const Parts& with);
    void use(const config::ListenerConfig& config, const Wiring& wiring,
             std::size_t index) override;
    void leave(std::size_t index) noexcept override { servers_[index].reset(); }

private:
    const SystemClock clock_;
    const std::shared_ptr<transports::tcp::PollTable> polls_;
    std::vector<std::unique_ptr<transports::tcp::TcpServer>> servers_;  // by worker
};

}  // namespace ra::app
