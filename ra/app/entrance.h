#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ra/app/wiring.h"
#include "ra/app/worker_parts.h"
#include "transports/common/announcements.h"
#include "transports/common/listener.h"
#include "transports/common/workers.h"
#include "transports/file/server.h"

namespace ra::app {

/// One listener of the process: where it is reached, and what serves who comes. Lives over reloads
/// that keep its address.
class Entrance {
public:
    using PartsList = std::vector<std::unique_ptr<WorkerParts>>;

    explicit Entrance(const config::ListenerConfig& config) : config_{config} {}
    Entrance(const Entrance&) = delete;
    Entrance& operator=(const Entrance&) = delete;
    virtual ~Entrance() = default;

    /// On worker `index`: serves by this configuration from now on.
    virtual void use(const config::ListenerConfig& config, const Wiring& wiring,
                     std::size_t index) = 0;
    /// The rest of it, once every worker does.
    virtual void used(const config::ListenerConfig& config, const Wiring& /*wiring*/) {
        config_ = config;
    }
    /// From any thread: other files behind its TLS.
    virtual void set_tls(transports::common::TlsContextPtr /*tls*/) {}

    virtual void start() = 0;
    /// From the main thread: takes no more, and what is open ends after its exchange.
    virtual void retire() = 0;
    virtual void stop() = 0;
    /// Retired, and nobody is here any more.
    [[nodiscard]] virtual bool deserted() const noexcept = 0;
    /// On worker `index`: what it had there goes.
    virtual void leave(std::size_t index) noexcept = 0;

    /// "127.0.0.1:8080", or a directory; and the port, 0 where there is none.
    [[nodiscard]] virtual const std::string& address() const noexcept = 0;
    [[nodiscard]] virtual std::uint16_t port() const noexcept { return 0; }
    /// Of its connections on worker `index`; null: it has none.
    [[nodiscard]] virtual const transports::common::ListenerCounters* connections(
        std::size_t /*index*/) const noexcept {
        return nullptr;
    }

    /// Who hears here what CAs announce; null: nobody.
    [[nodiscard]] virtual transports::common::Announcements* audience() noexcept { return nullptr; }
    /// Of its files; null: it has none.
    [[nodiscard]] virtual const transports::file::FileServerCounters* files() const noexcept {
        return nullptr;
    }

    [[nodiscard]] const config::ListenerConfig& config() const noexcept { return config_; }

protected:
    config::ListenerConfig config_;
};

/// What a listener needs, by its scheme. Binds (or takes over `inherited`); throws
/// std::runtime_error naming the address. Nothing is accepted before start().
[[nodiscard]] std::shared_ptr<Entrance> make_entrance(const config::ListenerConfig& config,
                                                      const Wiring& wiring,
                                                      transports::common::Workers& workers,
                                                      const Entrance::PartsList& parts, Log& log,
                                                      std::optional<int> inherited);

}  // namespace ra::app
