#include "ra/app/worker_parts.h"

#include <set>
#include <stdexcept>

#include "ra/app/couriers.h"
#include "ra/app/file_upstream.h"
#include "ra/app/tls_keeper.h"
#include "transports/common/connector.h"
#include "transports/http1/name_cache.h"

namespace ra::app {

using transports::common::Worker;
using transports::http1::HttpClientCounters;
using transports::http1::NameCache;

namespace {

/// The CA's answer carries chains: larger than what a device may send, and no less bounded.
constexpr std::size_t kMostOfAnAnswer = 1024 * 1024;

void note(std::atomic<std::int64_t>& moment) noexcept {
    moment.store(BootClock::now().time_since_epoch().count(), std::memory_order_relaxed);
}

}  // namespace

/// A CA over its URLs, with the connections to them; gone with the last message that needs it.
class WorkerParts::RemoteUpstream final : public TlsUpstream {
public:
    RemoteUpstream(Worker& worker, const config::UpstreamConfig& upstream,
                   const cmp::Limits& limits, HttpClientCounters& counters,
                   WorkerParts::Reached& reached, const Clock& clock,
                   const transports::common::TlsContextPtr& tls)
        : worker_{worker}, reached_{reached} {
        std::vector<Courier*> urls;
        for (const config::Url& url : upstream.urls) {
            couriers_.push_back(make_courier(worker, clock, upstream, url, limits, counters, tls));
            if (url.is_secure()) secure_.push_back(couriers_.back().get());
            names_.push_back(
                url.is_coap() ? nullptr : std::make_unique<NameCache>(worker, url.host, url.port));
            urls.push_back(couriers_.back().get());
        }
        upstream::ClientSettings settings;
        settings.resend_identical = upstream.resend_identical;
        settings.shared_state = upstream.shared_state;
        settings.concurrent = upstream.max_in_flight;
        if (upstream.answer_timeout) settings.answer_time = *upstream.answer_timeout;
        settings.breaker = {upstream.breaker.failures, upstream.breaker.shortest,
                            upstream.breaker.longest};
        settings.probe_time = upstream.breaker.probe_timeout;
        client_ = std::make_unique<upstream::Client>(std::move(urls), clock, settings);
    }
    ~RemoteUpstream() override { close(); }

    asio::awaitable<gateway::SubmitResult> submit(gateway::UpstreamMessage message) override {
        gateway::SubmitResult result = co_await client_->submit(std::move(message));
        const auto* const not_sent = std::get_if<NotSent>(&result);
        if (not_sent == nullptr) {
            note(reached_.yes);
        } else if (not_sent->why != "busy" && not_sent->why != "closed") {
            note(reached_.no);
        }
        co_return result;
    }
    void close() noexcept override {
        for (const auto& courier : couriers_) courier->close();
    }
    void set_tls(const transports::common::TlsContextPtr& tls) override {
        for (transports::http1::TlsCourier* courier : secure_) courier->set_tls(tls);
    }
    [[nodiscard]] bool needs_tending() const noexcept override {
        for (std::size_t url = 0; url < client_->urls(); ++url) {
            if (client_->health(url).down.get() != 0) return true;
        }
        return reached_.no.load(std::memory_order_relaxed) >
               reached_.yes.load(std::memory_order_relaxed);
    }
    /// A connection is enough: nobody may come by with a message to find out that it is back.
    asio::awaitable<void> tend() override {
        static constexpr std::chrono::seconds kEvery{3};
        co_await client_->probe();
        const BootTime now = BootClock::now();
        const BootTime failed{std::chrono::nanoseconds{reached_.no.load()}};
        if (reached_.yes.load() >= reached_.no.load() || now - failed < kEvery) co_return;
        note(reached_.no);
        const bool there = co_await connects(now + kEvery);
        note(there ? reached_.yes : reached_.no);
    }

private:
    asio::awaitable<bool> connects(BootTime until) {
        for (std::size_t url = 0; url < names_.size(); ++url) {
            if (names_[url] == nullptr) {
                const bool there = co_await couriers_[url]->probe(until);
                if (there) co_return true;
                continue;
            }
            const auto addresses = co_await names_[url]->lookup(until);
            for (const auto& address : addresses) {
                const auto stream =
                    co_await transports::common::connect_to(worker_, address, until);
                if (stream == nullptr) continue;
                stream->close();
                co_return true;
            }
        }
        co_return false;
    }

    Worker& worker_;
    WorkerParts::Reached& reached_;
    std::vector<std::unique_ptr<transports::http1::TlsCourier>> couriers_;
    std::vector<transports::http1::TlsCourier*> secure_;  // of them
    std::vector<std::unique_ptr<NameCache>> names_;  // for connects(); null: it has to be asked
    std::unique_ptr<upstream::Client> client_;
};

std::shared_ptr<Wiring> make_wiring(const config::Config& config, gateway::SettingsPtr settings) {
    auto wiring = std::make_shared<Wiring>();
    wiring->config = config;
    wiring->settings = std::move(settings);
    std::set<std::string> labels;
    for (const policy::ProfilePtr& profile : wiring->settings->profiles) {
        for (const std::string& label : profile->match.labels) {
            if (!label.empty()) labels.insert(label);
        }
    }
    wiring->labels.assign(labels.begin(), labels.end());
    for (const config::UpstreamConfig& upstream : config.upstreams) {
        check_urls(upstream);
        if (upstream.is_spool()) {
            wiring->spools[upstream.name] = std::make_shared<transports::file::SpoolClient>(
                upstream.urls.front().directory(config.directory), kMostOfAnAnswer);
        }
    }
    return wiring;
}

WorkerParts::WorkerParts(Worker& worker, const Shared& shared, const Wiring& wiring)
    : worker_{worker},
      clock_{shared.clock},
      cpu_{shared.cpu},
      log_{shared.log},
      lab_ca_{shared.lab_ca},
      messages_{wiring.listeners.size()},
      audit_{shared.log, messages_, wiring.listeners, shared.trail},
      chains_{shared.clock} {
    prepare(wiring);
    audit_.use(wiring.listeners, quirks_of(wiring));
    gateway_ = std::make_unique<gateway::Gateway>(
        gateway::Services{shared.store, shared.inventory, audit_, shared.cpu, shared.clock, worker,
                          worker.random(), chains_, &shared.secrets, &shared.kdf, nullptr,
                          &shared.announcer},
        snapshot(wiring));
}

void WorkerParts::prepare(const Wiring& wiring) {
    messages_.make_room(wiring.listeners.size());
    for (std::size_t id = 0; id < wiring.listeners.size(); ++id) {
        server_counters_[id];
        tcp_counters_[id];
    }
    for (const config::UpstreamConfig& upstream : wiring.config.upstreams) {
        client_counters_[upstream.name];
        reached_[upstream.name];
        quirk_counts_[upstream.name];
    }
}

std::map<std::string, QuirkCounts*, std::less<>> WorkerParts::quirks_of(const Wiring& wiring) {
    std::map<std::string, QuirkCounts*, std::less<>> counts;
    for (const config::UpstreamConfig& upstream : wiring.config.upstreams)
        counts[upstream.name] = &quirk_counts_.at(upstream.name);
    return counts;
}

void WorkerParts::watch() { turn(); }

void WorkerParts::turn() {
    static constexpr std::chrono::seconds kTurn{1};
    const BootTime now = BootClock::now();
    last_turn_.store(now.time_since_epoch().count(), std::memory_order_relaxed);
    worker_.schedule(now + kTurn, [this] { turn(); });
    if (worker_.tasks().draining()) return;
    for (const auto& one : watched_) {
        if (const auto way = one.lock(); way != nullptr && way->needs_tending())
            worker_.tasks().spawn("tend", tend(way));
    }
}

asio::awaitable<void> WorkerParts::tend(std::shared_ptr<gateway::Upstream> way) {
    co_await way->tend();
}

void WorkerParts::use(const Wiring& wiring) {
    audit_.use(wiring.listeners, quirks_of(wiring));
    gateway_->use(snapshot(wiring), wiring.pinned_until);
    worker_.schedule(wiring.pinned_until, [this] { gateway_->expire(BootClock::now()); });
}

gateway::SnapshotPtr WorkerParts::snapshot(const Wiring& wiring) {
    auto made = std::make_shared<gateway::Snapshot>();
    made->settings = wiring.settings;
    watched_.clear();
    for (const config::UpstreamConfig& upstream : wiring.config.upstreams) {
        std::shared_ptr<gateway::Upstream>& way = made->upstreams[upstream.name];
        if (wiring.kept.contains(upstream.name)) {
            way = gateway_->snapshots().current()->upstreams.at(upstream.name);
        } else {
            way = connect(upstream, wiring);
        }
        watched_.push_back(way);
    }
    return made;
}

std::shared_ptr<gateway::Upstream> WorkerParts::connect(const config::UpstreamConfig& upstream,
                                                        const Wiring& wiring) {
    if (upstream.is_spool()) {
        return std::make_shared<FileUpstream>(upstream.name, wiring.spools.at(upstream.name),
                                              upstream.patience, worker_, cpu_, log_);
    }
    if (!upstream.is_lab_ca()) {
        auto made = std::make_shared<RemoteUpstream>(
            worker_, upstream, wiring.settings->limits, client_counters_.at(upstream.name),
            reached_.at(upstream.name), clock_, wiring.tls->upstream(upstream.name));
        tls_upstreams_[upstream.name] = made;
        return made;
    }
    if (lab_ca_ == nullptr)
        throw std::runtime_error("upstream " + upstream.name + ": no lab CA was made");
    return std::make_shared<upstream::Local>(*lab_ca_);
}

void WorkerParts::set_upstream_tls(const std::string& upstream,
                                   const transports::common::TlsContextPtr& tls) {
    const auto found = tls_upstreams_.find(upstream);
    const auto way = found != tls_upstreams_.end() ? found->second.lock() : nullptr;
    if (way != nullptr && tls != nullptr) way->set_tls(tls);
}

std::shared_ptr<gateway::Upstream> WorkerParts::way_to(const std::string& upstream) const {
    const auto& ways = gateway_->snapshots().current()->upstreams;
    const auto found = ways.find(upstream);
    return found != ways.end() ? found->second : nullptr;
}

void WorkerParts::close_upstreams() noexcept {
    for (const auto& [name, way] : gateway_->snapshots().current()->upstreams) way->close();
}

}  // namespace ra::app
