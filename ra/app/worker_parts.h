#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "metrics/message_counters.h"
#include "ra/app/audit.h"
#include "ra/app/wiring.h"
#include "ra/crypto/trust.h"
#include "ra/gateway/gateway.h"
#include "ra/upstream/client.h"
#include "transports/common/tls_context.h"
#include "transports/common/worker.h"
#include "transports/http1/client.h"
#include "transports/http1/counters.h"
#include "transports/tcp/server.h"

namespace ra::app {

/// What one worker has to itself: its gateway, its connections to the CAs, its counters.
class WorkerParts {
public:
    /// What is shared by all workers and outlives them.
    struct Shared {
        gateway::Store& store;
        gateway::Inventory& inventory;
        gateway::SecretGate& secrets;
        gateway::CpuPool& cpu;
        gateway::CpuPool& kdf;
        const Clock& clock;
        Log& log;
        gateway::Announcer& announcer;
        Exchange* lab_ca = nullptr;
        AuditTrail* trail = nullptr;
    };
    WorkerParts(transports::common::Worker& worker, const Shared& shared, const Wiring& wiring);
    WorkerParts(const WorkerParts&) = delete;
    WorkerParts& operator=(const WorkerParts&) = delete;

    /// On the main thread, before use(): makes what use() and the metrics look up.
    void prepare(const Wiring& wiring);
    /// On the worker: from now on by this configuration. Connections to the upstreams it keeps go
    /// on; the others end with what still needs them.
    void use(const Wiring& wiring);
    [[nodiscard]] Exchange& exchange() noexcept { return *gateway_; }
    /// On the worker, once: begins to say every second that it turns, and to look after upstreams
    /// that could not be reached.
    void watch();
    /// Any thread: when it last turned.
    [[nodiscard]] BootTime last_turn() const noexcept {
        return BootTime{std::chrono::nanoseconds{last_turn_.load(std::memory_order_relaxed)}};
    }

    /// When an upstream was last reached, and last not; any thread.
    struct Reached {
        std::atomic<std::int64_t> yes{0}, no{0};  // BootTime, nanoseconds
    };
    /// Once prepare() knew it.
    [[nodiscard]] const Reached& reached(const std::string& upstream) const {
        return reached_.at(upstream);
    }

    /// On the worker: its way to a CA of the configuration in use; null: there is none of that
    /// name.
    [[nodiscard]] std::shared_ptr<gateway::Upstream> way_to(const std::string& upstream) const;

    /// On the worker: closes idle connections to the CAs.
    void close_upstreams() noexcept;
    /// On the worker: new connections to that upstream's https and tcps URLs are made with `tls`.
    void set_upstream_tls(const std::string& upstream,
                          const transports::common::TlsContextPtr& tls);

    [[nodiscard]] const metrics::MessageCounters& messages() const noexcept { return messages_; }
    /// Once prepare() knew it; they stay as long as this.
    [[nodiscard]] transports::http1::HttpServerCounters& server_counters(ListenerId listener) {
        return server_counters_.at(static_cast<std::size_t>(listener));
    }
    [[nodiscard]] transports::tcp::TcpServerCounters& tcp_counters(ListenerId listener) {
        return tcp_counters_.at(static_cast<std::size_t>(listener));
    }
    [[nodiscard]] const transports::http1::HttpClientCounters& client_counters(
        const std::string& upstream) const {
        return client_counters_.at(upstream);
    }

    [[nodiscard]] const QuirkCounts& quirk_counts(const std::string& upstream) const {
        return quirk_counts_.at(upstream);
    }

private:
    [[nodiscard]] std::map<std::string, QuirkCounts*, std::less<>> quirks_of(const Wiring& wiring);
    [[nodiscard]] std::shared_ptr<gateway::Upstream> connect(const config::UpstreamConfig& upstream,
                                                             const Wiring& wiring);
    [[nodiscard]] gateway::SnapshotPtr snapshot(const Wiring& wiring);

    /// An upstream whose TLS can be replaced.
    struct TlsUpstream : gateway::Upstream {
        virtual void set_tls(const transports::common::TlsContextPtr& tls) = 0;
    };
    class RemoteUpstream;

    void turn();
    static asio::awaitable<void> tend(std::shared_ptr<gateway::Upstream> way);

    transports::common::Worker& worker_;
    const Clock& clock_;
    gateway::CpuPool& cpu_;
    Log& log_;
    Exchange* lab_ca_;
    std::atomic<std::int64_t> last_turn_{0};
    std::map<std::string, Reached> reached_;  // by name; prepare() adds
    // The worker's: those of the configuration in use.
    std::vector<std::weak_ptr<gateway::Upstream>> watched_;
    std::map<std::string, std::weak_ptr<TlsUpstream>> tls_upstreams_;
    metrics::MessageCounters messages_;
    std::map<std::string, transports::http1::HttpClientCounters> client_counters_;
    std::map<std::size_t, transports::http1::HttpServerCounters> server_counters_;
    std::map<std::size_t, transports::tcp::TcpServerCounters> tcp_counters_;
    std::map<std::string, QuirkCounts> quirk_counts_;
    WorkerAudit audit_;
    crypto::ChainVerifier chains_;
    std::unique_ptr<gateway::Gateway> gateway_;
};

}  // namespace ra::app
