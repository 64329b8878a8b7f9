#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "metrics/prometheus_text.h"
#include "ra/admin/health.h"
#include "ra/app/config/config.h"
#include "ra/app/cpu_pool.h"
#include "ra/app/log.h"
#include "ra/app/store_host.h"
#include "ra/gateway/gateway.h"
#include "ra/gateway/secret_gate.h"
#include "transports/common/listener.h"
#include "transports/common/workers.h"

namespace ra::app {

class AnnouncementHub;
class AuditTrail;
class CoapHost;
class Entrance;
class Renewer;
class TlsKeeper;
class WorkerParts;
struct Wiring;

/// The gateway of one process: workers, listeners, upstreams, store, wired as a configuration says.
class Server {
public:
    /// Sockets another process opened (socket activation), with the names it gave them.
    struct Inherited {
        int descriptor = -1;
        std::string name;
    };

    /// Binds the listeners. `lab_ca`: for upstreams "labca:"; may be null where there are none.
    /// `trail`: null where nothing is written down. `log`, `lab_ca` and `trail` outlive this.
    /// Throws std::runtime_error: a port is taken, and the like.
    Server(const config::Config& config, gateway::SettingsPtr settings, Log& log,
           Exchange* lab_ca = nullptr, std::vector<Inherited> inherited = {},
           AuditTrail* trail = nullptr);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    void start();
    /// Before start(): secrets that stand beside the configuration; those the store has already
    /// stay as they are. Throws std::runtime_error: too many, or another one has the reference.
    void add_secrets(std::vector<gateway::NewSecret> secrets);

    /// Runs by another configuration from now on, whole or (std::runtime_error: a port is taken)
    /// not at all. What did not change keeps its connections; messages under way finish under what
    /// they began with. Workers and store stay as they are. On the thread that made this.
    void reload(const config::Config& config, gateway::SettingsPtr settings);

    /// Before start(): told, on a worker, of each credential that was renewed and is in its files;
    /// the main thread is to call replace_credential().
    void on_renewed(std::function<void(crypto::CredentialPtr)> told) {
        on_renewed_ = std::move(told);
    }
    /// From now on with this one instead of its namesake, which transactions that began with it
    /// keep (S-06); otherwise as before. False: it is the one in use already, or none of that name.
    /// As reload().
    bool replace_credential(const crypto::CredentialPtr& credential, std::uint64_t generation);
    /// One message that came by mail, for the listener "mail:"; `done` is told the reply on a
    /// worker, or at once that there is no such listener. Any thread.
    void mail(Bytes der, std::function<void(std::optional<Reply>)> done);

    /// The credential of that name it has now; null: none. As reload().
    [[nodiscard]] crypto::CredentialPtr credential(std::string_view name) const;

    /// The store's; any thread, until this goes.
    [[nodiscard]] gateway::Secrets& secrets() noexcept { return store_->secrets(); }

    /// An entry of the ledger goes (StoreHost::clear_orphan()); any thread.
    [[nodiscard]] asio::awaitable<std::optional<bool>> clear_orphan(std::int64_t id) {
        return store_->clear_orphan(id);
    }

    /// A URL somebody can use now.
    struct Served {
        std::string listener;
        std::string scheme;   // "http", "https", "tcp", "coap"…
        std::string address;  // "127.0.0.1:8080", as a client on this machine reaches it
        std::uint16_t port = 0;
        std::vector<std::string> paths;  // of http, https and coap
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
    [[nodiscard]] admin::HealthFacts health() const;

    /// Further samples for snapshot(): of what only its owner knows (secrets, a ledger). Before
    /// start(); called on the admin thread.
    using Samples = std::function<void(std::vector<metrics::Sample>&)>;
    void also_show(Samples samples) { more_samples_.push_back(std::move(samples)); }

private:
    using EntrancePtr = std::shared_ptr<Entrance>;
    [[nodiscard]] EntrancePtr enter(const config::ListenerConfig& listener, const Wiring& wiring,
                                    std::vector<Inherited>& inherited);
    void drain_coap(BootTime until);
    /// Runs `work` on each worker, and waits until all have.
    void on_each_worker(const std::function<void(std::size_t)>& work);
    void forget_deserted();
    void make_renewer();
    /// `tls`: that of the configuration before, where nothing of it has changed; null: read anew.
    void switch_to(const config::Config& config, gateway::SettingsPtr settings,
                   std::shared_ptr<TlsKeeper> tls);
    void sweep();
    void watch_tls();
    asio::awaitable<void> look_at_tls();
    void watch_psks();
    asio::awaitable<void> read_psks();

    Log& log_;
    AuditTrail* trail_;
    SystemClock clock_;
    SystemRandom random_;  // for the constructor, and the gate
    bool started_ = false;
    std::atomic<bool> draining_ = false;
    std::vector<Samples> more_samples_;
    /// What add_secrets() runs on. Outlives the store's thread, which may still be inside post()
    /// when what it resumed here has ended.
    boost::asio::io_context before_start_;
    std::unique_ptr<StoreHost> store_;
    std::unique_ptr<gateway::SecretGate> secrets_;
    std::unique_ptr<AnnouncementHub> announcements_;
    ThreadCpuPool cpu_;
    ThreadCpuPool kdf_;               // key derivations: after everything else
    std::unique_ptr<CoapHost> coap_;  // null: nothing speaks CoAP. Outlives what workers run
    std::string psks_said_;           // which secrets are pre-shared keys; of worker 0
    transports::common::Workers workers_;
    std::vector<std::unique_ptr<WorkerParts>> parts_;  // one a worker
    std::function<void(crypto::CredentialPtr)> on_renewed_;
    std::unique_ptr<Renewer> renewer_;  // on the first worker
    mutable std::mutex mutex_;  // what snapshot() reads on other threads, changed by reload()
    std::shared_ptr<const Wiring> wiring_;
    std::vector<EntrancePtr> entrances_;
    std::vector<EntrancePtr> retired_;  // of earlier configurations; may have connections
};

}  // namespace ra::app
