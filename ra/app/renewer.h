#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "metrics/prometheus_text.h"
#include "ra/app/log.h"
#include "ra/app/wiring.h"
#include "ra/crypto/trust.h"
#include "ra/gateway/renewal.h"
#include "transports/common/worker.h"

namespace ra::app {

/// When a certificate that is renewed `before` its end (nullopt: a third of its lifetime) is due,
/// without jitter.
[[nodiscard]] WallTime renewal_due(const crypto::Certificate& certificate,
                                   std::optional<std::chrono::seconds> before) noexcept;

/// How long to wait after the n-th failure in a row: a minute, and twice as long each time, up to
/// an hour; less where the certificate ends sooner, so that there are several more tries.
[[nodiscard]] std::chrono::seconds renewal_pause(unsigned failures, std::chrono::seconds left);

/// Renews the credentials that ask for it before they end (credential.renew): each is due a while
/// before, up to a tenth of that later (so that gateways made together do not come together), and
/// again and again after a failure. One worker's; its thread only, but for states().
class Renewer {
public:
    /// All outlive it.
    struct World {
        transports::common::Worker& worker;
        gateway::CpuPool& cpu;
        const Clock& clock;
        Log& log;
        /// The worker's way to a CA; null: there is none of that name.
        std::function<std::shared_ptr<gateway::Upstream>(const std::string&)> way;
    };
    /// Told of each new credential, which is in its files by then.
    using Renewed = std::function<void(crypto::CredentialPtr)>;

    Renewer(World world, Renewed renewed);

    /// From now on by this configuration.
    void use(std::shared_ptr<const Wiring> wiring);
    /// Begins nothing more; what waits for a CA gives up.
    void stop();

    struct State {
        std::string credential, upstream;
        WallTime due{};  // of the next try
        std::uint64_t renewed = 0, failed = 0;
        std::string fault;  // why the last try failed; empty: it did not
    };
    [[nodiscard]] std::vector<State> states() const;
    void add_samples(std::vector<metrics::Sample>& samples) const;

private:
    struct Job {
        crypto::CredentialPtr credential;
        gateway::RenewalSettings settings;
        std::unique_ptr<const config::CredentialConfig> config;
        WallTime due{};         // jitter included
        BootTime not_before{};  // after a failure
        Timers::Id timer = 0;   // 0: none
        bool running = false;
        unsigned failures = 0;       // in a row
        std::function<void()> stop;  // what it waits for
    };
    using JobPtr = std::shared_ptr<Job>;

    void plan(const std::string& name, const JobPtr& job);
    void look(const std::string& name, const JobPtr& job);
    asio::awaitable<void> attempt(std::string name, JobPtr job);
    asio::awaitable<gateway::Outcome<gateway::Renewed>> renew(JobPtr job);
    void succeeded(const std::string& name, Job& job, const gateway::Renewed& renewed,
                   const std::string& not_installed);
    void failed(const std::string& name, Job& job, const gateway::Failure& failure);
    void finish_files(const Job& job);
    [[nodiscard]] double chance();

    const World world_;
    const Renewed renewed_;
    crypto::ChainVerifier chains_;
    std::shared_ptr<const Wiring> wiring_;
    std::map<std::string, JobPtr> jobs_;
    bool stopping_ = false;
    mutable std::mutex mutex_;  // of states_
    std::map<std::string, State> states_;
};

}  // namespace ra::app
