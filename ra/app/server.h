#pragma once

#include <memory>
#include <string>
#include <vector>

#include "metrics/prometheus_text.h"
#include "ra/app/config/config.h"
#include "ra/app/cpu_pool.h"
#include "ra/app/log.h"
#include "ra/app/store_host.h"
#include "ra/gateway/gateway.h"
#include "ra/gateway/secret_gate.h"
#include "transports/common/listener.h"
#include "transports/common/workers.h"

namespace ra::app {

class WorkerParts;

/// The gateway of one process: workers, listeners, upstreams, store, wired as a configuration says.
class Server {
public:
    /// Sockets another process opened (socket activation), with the names it gave them.
    struct Inherited {
        int descriptor = -1;
        std::string name;
    };

    /// Binds the listeners. `lab_ca`: for upstreams "labca:"; may be null where there are none.
    /// `log` and `lab_ca` outlive this. Throws std::runtime_error: a port is taken, and the like.
    Server(const config::Config& config, gateway::SettingsPtr settings, Log& log,
           Exchange* lab_ca = nullptr, std::vector<Inherited> inherited = {});
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    void start();
    /// Before start(): secrets that stand beside the configuration; those the store has already
    /// stay as they are. Throws std::runtime_error: too many, or another one has the reference.
    void add_secrets(std::vector<gateway::NewSecret> secrets);

    /// A URL somebody can use now.
    struct Served {
        std::string listener;
        std::string address;  // "127.0.0.1:8080", as a client on this machine reaches it
        std::uint16_t port = 0;
        std::vector<std::string> paths;
    };
    [[nodiscard]] std::vector<Served> served() const;
    [[nodiscard]] std::size_t workers() const noexcept { return workers_.size(); }

    /// Takes no more connections, lets exchanges end until `until`. True: all ended; false: some
    /// were cut off, and this object must not be destroyed (their frames refer to it): the process
    /// ends.
    [[nodiscard]] bool drain(BootTime until);

    /// Any thread.
    [[nodiscard]] metrics::Snapshot snapshot() const;
    /// What the store holds now. Any thread, also after drain().
    [[nodiscard]] gateway::Store::Sizes store_sizes() const { return store_->sizes(); }

private:
    void listen(const config::Config& config, std::vector<Inherited> inherited);
    void sweep();

    Log& log_;
    SystemClock clock_;
    std::vector<std::string> listener_names_;
    std::vector<std::string> upstream_names_;
    std::vector<std::string> labels_;
    std::vector<std::vector<std::string>> aliases_;
    SystemRandom random_;  // for the constructor, and the gate
    std::unique_ptr<StoreHost> store_;
    std::unique_ptr<gateway::SecretGate> secrets_;
    ThreadCpuPool cpu_;
    ThreadCpuPool kdf_;  // key derivations: after everything else
    transports::common::Workers workers_;
    std::vector<std::unique_ptr<WorkerParts>> parts_;  // one a worker
    std::vector<std::unique_ptr<transports::common::Listener>> listeners_;
};

}  // namespace ra::app
