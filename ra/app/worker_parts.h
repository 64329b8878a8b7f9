#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "metrics/message_counters.h"
#include "ra/app/audit.h"
#include "ra/app/config/config.h"
#include "ra/crypto/trust.h"
#include "ra/gateway/gateway.h"
#include "ra/upstream/client.h"
#include "transports/common/worker.h"
#include "transports/http1/client.h"
#include "transports/http1/server.h"

namespace ra::app {

/// What one worker has to itself: its gateway, its connections to the CAs, its counters.
class WorkerParts {
public:
    /// What is shared by all workers and outlives them.
    struct Shared {
        const config::Config& config;  // for the constructor only
        gateway::SettingsPtr settings;
        gateway::Store& store;
        gateway::Inventory& inventory;
        gateway::SecretGate& secrets;
        gateway::CpuPool& cpu;
        gateway::CpuPool& kdf;
        const Clock& clock;
        Log& log;
        const std::vector<std::string>& listeners;  // names
        const std::vector<std::string>& labels;
        Exchange* lab_ca = nullptr;
    };
    WorkerParts(transports::common::Worker& worker, const Shared& shared);
    WorkerParts(const WorkerParts&) = delete;
    WorkerParts& operator=(const WorkerParts&) = delete;

    [[nodiscard]] transports::common::ConnectionHandler& http(std::size_t listener) {
        return servers_[listener];
    }
    [[nodiscard]] gateway::Gateway& gateway() noexcept { return *gateway_; }
    /// On the worker: closes idle connections to the CAs.
    void close_upstreams() noexcept;

    [[nodiscard]] const metrics::MessageCounters& messages() const noexcept { return messages_; }
    [[nodiscard]] const transports::http1::HttpServerCounters& server(std::size_t listener) const {
        return server_counters_[listener];
    }
    [[nodiscard]] const transports::http1::HttpClientCounters& client(std::size_t upstream) const {
        return client_counters_[upstream];
    }

private:
    void connect(transports::common::Worker& worker, const config::UpstreamConfig& upstream,
                 const Shared& shared);

    metrics::MessageCounters messages_;
    WorkerAudit audit_;
    crypto::ChainVerifier chains_;
    std::deque<transports::http1::HttpClientCounters> client_counters_;  // by upstream
    std::deque<transports::http1::HttpServerCounters> server_counters_;  // by listener
    std::vector<std::unique_ptr<Courier>> couriers_;
    std::map<std::string, std::unique_ptr<gateway::Upstream>> upstreams_;
    std::unique_ptr<gateway::Gateway> gateway_;
    std::deque<transports::http1::HttpServer> servers_;  // by listener
};

}  // namespace ra::app
