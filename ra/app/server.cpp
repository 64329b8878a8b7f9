#include "ra/app/server.h"

#include <sched.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <future>
#include <thread>

#include "ra/app/announcements.h"
#include "ra/app/clock_watch.h"
#include "ra/app/coap_host.h"
#include "ra/app/config/reload.h"
#include "ra/app/entrance.h"
#include "ra/app/faults.h"
#include "ra/app/mail_entrance.h"
#include "ra/app/renewer.h"
#include "ra/app/server_metrics.h"
#include "ra/app/tls_keeper.h"
#include "ra/app/version.h"
#include "ra/app/worker_parts.h"
#include "transports/http1/paths.h"

namespace ra::app {

namespace {

constexpr std::size_t kCpuQueue = 1024;
constexpr int kKdfNice = 10;
constexpr std::chrono::milliseconds kSweepEvery{500};
constexpr std::chrono::seconds kLookEvery{5};  // at the files of TLS

/// The processors we may use, which in a container are not the ones there are.
std::size_t processors() {
    cpu_set_t set;
    if (::sched_getaffinity(0, sizeof set, &set) == 0) {
        if (const int count = CPU_COUNT(&set); count > 0) return static_cast<std::size_t>(count);
    }
    return std::max(1U, std::thread::hardware_concurrency());
}

/// Names by id, where ids have gaps left by listeners that are gone.
void name_listeners(Wiring& wiring, std::vector<std::string> before) {
    wiring.listeners = std::move(before);
    for (const config::ListenerConfig& listener : wiring.config.listeners) {
        const auto id = static_cast<std::size_t>(listener.id);
        if (wiring.listeners.size() <= id) wiring.listeners.resize(id + 1);
        wiring.listeners[id] = listener.name;
    }
}

}  // namespace

Server::Server(const config::Config& config, gateway::SettingsPtr settings, Log& log,
               Exchange* lab_ca, std::vector<Inherited> inherited, AuditTrail* trail)
    : log_{log},
      trail_{trail},
      cpu_{processors(), kCpuQueue},
      kdf_{1, kCpuQueue, kKdfNice},
      workers_{config.workers != 0 ? config.workers : processors(), fault_log(log)} {
    const auto wiring = make_wiring(config, std::move(settings));
    name_listeners(*wiring, {});
    wiring->tls = std::make_shared<TlsKeeper>(config, log);
    wiring_ = wiring;
    store_ = std::make_unique<StoreHost>(config, clock_, random_, log_);
    secrets_ = std::make_unique<gateway::SecretGate>(
        store_->secrets(), clock_, random_, gateway::GuessLimits{},
        [&log](std::string_view event, ByteView reference) {
            log.write(Log::Level::error, event, {{"reference", as_text(reference)}});
        });
    announcements_ = std::make_unique<AnnouncementHub>(log);
    const WorkerParts::Shared shared{store_->store(),
                                     store_->inventory(),
                                     *secrets_,
                                     cpu_,
                                     kdf_,
                                     clock_,
                                     log_,
                                     *announcements_,
                                     lab_ca,
                                     trail};
    for (std::size_t i = 0; i < workers_.size(); ++i)
        parts_.push_back(std::make_unique<WorkerParts>(workers_[i], shared, *wiring));
    make_renewer();
    for (const config::ListenerConfig& listener : config.listeners)
        entrances_.push_back(enter(listener, *wiring, inherited));
    if (!inherited.empty()) {
        throw std::runtime_error("systemd hands over more sockets than there are [[listener]]s");
    }
    announcements_->use(entrances_);
}

void Server::add_secrets(std::vector<gateway::NewSecret> secrets) {
    asio::io_context& io = before_start_;
    io.restart();
    std::exception_ptr failed;
    // NOLINTNEXTLINE(cppcoreguidelines-avoid-capturing-lambda-coroutines): run to its end below.
    const auto add = [&]() -> asio::awaitable<void> {
        for (gateway::NewSecret& secret : secrets) {
            // One that outlived a restart keeps its uses.
            const auto there = co_await store_->secrets().find_secret(secret.reference);
            if (there && equal_secret(there->octets.reveal(), secret.octets.reveal())) continue;
            const std::string reference{as_text(secret.reference)};
            const auto added = co_await store_->secrets().add_secret(std::move(secret));
            if (added == gateway::Secrets::Added::added) continue;
            throw std::runtime_error(
                "secret " + config::in_quotes(reference) +
                (added == gateway::Secrets::Added::full
                     ? ": there is no room for it"
                     : " is in the store with other octets; revoke that one first"));
        }
    };
    asio::co_spawn(io, add(), [&failed](std::exception_ptr fault) { failed = std::move(fault); });
    io.run();
    if (failed) std::rethrow_exception(failed);
}

Server::~Server() {
    for (const auto& entrance : entrances_) entrance->stop();
    workers_.stop();
    if (coap_ != nullptr) coap_->stop();
    cpu_.stop();
    kdf_.stop();
}

Server::EntrancePtr Server::enter(const config::ListenerConfig& listener, const Wiring& wiring,
                                  std::vector<Inherited>& inherited) {
    if (listener.url.is_coap()) {
        if (coap_ == nullptr) coap_ = std::make_unique<CoapHost>(log_);
        if (started_) coap_->start();
        return std::make_shared<CoapEntrance>(listener, wiring, *coap_, workers_, parts_);
    }
    if (listener.url.is_file() || listener.url.is_mail())
        return make_entrance(listener, wiring, workers_, parts_, log_, std::nullopt);
    auto socket = std::find_if(inherited.begin(), inherited.end(),
                               [&](const Inherited& one) { return one.name == listener.name; });
    if (socket == inherited.end()) {
        // Sockets without a name of ours are taken in order.
        const auto& ours = wiring.listeners;
        socket = std::find_if(inherited.begin(), inherited.end(), [&](const Inherited& one) {
            return std::find(ours.begin(), ours.end(), one.name) == ours.end();
        });
    }
    if (socket == inherited.end())
        return make_entrance(listener, wiring, workers_, parts_, log_, std::nullopt);
    auto made = make_entrance(listener, wiring, workers_, parts_, log_, socket->descriptor);
    inherited.erase(socket);
    return made;
}

void Server::on_each_worker(const std::function<void(std::size_t)>& work) {
    std::vector<std::promise<void>> done(workers_.size());
    for (std::size_t i = 0; i < workers_.size(); ++i) {
        const auto run = [&work, &promise = done[i], i] {
            try {
                work(i);
                promise.set_value();
            } catch (...) {
                promise.set_exception(std::current_exception());
            }
        };
        started_ ? workers_[i].post(run) : run();
    }
    for (std::promise<void>& one : done) one.get_future().get();
}

void Server::reload(const config::Config& config, gateway::SettingsPtr settings) {
    switch_to(config, std::move(settings), nullptr);
}

void Server::switch_to(const config::Config& config, gateway::SettingsPtr settings,
                       std::shared_ptr<TlsKeeper> tls) {
    forget_deserted();
    const auto wiring = make_wiring(config, std::move(settings));
    name_listeners(*wiring, wiring_->listeners);
    wiring->tls = tls != nullptr ? std::move(tls)
                                 : std::make_shared<TlsKeeper>(config, log_, wiring_->tls.get());
    wiring->pinned_until = BootClock::now() + wiring_->config.reload_grace;
    for (const config::UpstreamConfig& upstream : config.upstreams) {
        const auto& now = wiring_->config.upstreams;
        const bool kept = std::any_of(now.begin(), now.end(), [&](const auto& one) {
            return one.name == upstream.name && config::same_client(one, upstream);
        });
        if (kept &&
            wiring->settings->limits.message_octets == wiring_->settings->limits.message_octets)
            wiring->kept.insert(upstream.name);
    }
    {
        const std::lock_guard lock{mutex_};
        for (const auto& parts : parts_) parts->prepare(*wiring);
    }

    // What can fail comes first: new addresses are bound before anything is switched.
    std::vector<EntrancePtr> next;
    std::vector<EntrancePtr> left = entrances_;
    std::vector<EntrancePtr> added;
    std::vector<Inherited> none;
    for (const config::ListenerConfig& listener : config.listeners) {
        const auto same = std::find_if(left.begin(), left.end(), [&](const EntrancePtr& one) {
            return config::same_socket(one->config(), listener);
        });
        if (same != left.end()) {
            next.push_back(std::move(*same));
            left.erase(same);
        } else {
            added.push_back(enter(listener, *wiring, none));
            next.push_back(added.back());
        }
    }

    on_each_worker([&](std::size_t worker) {
        parts_[worker]->use(*wiring);
        for (const std::string& kept : wiring->kept)
            parts_[worker]->set_upstream_tls(kept, wiring->tls->upstream(kept));
        for (std::size_t i = 0; i < next.size(); ++i)
            next[i]->use(config.listeners[i], *wiring, worker);
        if (worker == 0 && started_) renewer_->use(wiring);
    });
    {
        const std::lock_guard lock{mutex_};
        for (std::size_t i = 0; i < next.size(); ++i) next[i]->used(config.listeners[i], *wiring);
        wiring_ = wiring;
        entrances_ = std::move(next);
        retired_.insert(retired_.end(), left.begin(), left.end());
    }
    announcements_->use(entrances_);
    if (started_) {
        for (const EntrancePtr& one : added) one->start();
    }
    for (const EntrancePtr& one : left) one->retire();
}

/// Listeners of earlier configurations whose last connection has gone.
void Server::forget_deserted() {
    std::vector<EntrancePtr> gone;
    {
        const std::lock_guard lock{mutex_};
        const auto begin = std::partition(retired_.begin(), retired_.end(),
                                          [](const auto& one) { return !one->deserted(); });
        gone.assign(begin, retired_.end());
        retired_.erase(begin, retired_.end());
    }
    if (gone.empty()) return;
    on_each_worker([&gone](std::size_t worker) {
        for (const EntrancePtr& one : gone) one->leave(worker);
    });
}

void Server::start() {
    if (coap_ != nullptr) coap_->start();  // first: the workers hand things to it
    workers_.start();
    started_ = true;
    // "ready" is said when this returns: all of them turn by then.
    on_each_worker([this](std::size_t worker) {
        parts_[worker]->watch();
        if (worker != 0) return;
        sweep();
        watch_tls();
        watch_psks();
        renewer_->use(wiring_);
    });
    for (const auto& entrance : entrances_) entrance->start();
}

void Server::sweep() {
    store_->sweep();
    workers_[0].schedule(clock_.boot_now() + kSweepEvery, [this] { sweep(); });
}

void Server::watch_tls() {
    workers_[0].schedule(clock_.boot_now() + kLookEvery, [this] {
        if (workers_[0].tasks().draining()) return;
        workers_[0].tasks().spawn("tls", look_at_tls());
        watch_tls();
    });
}

/// Files are read beside the workers; what is new goes to each of them.
asio::awaitable<void> Server::look_at_tls() {
    std::shared_ptr<TlsKeeper> tls;
    {
        const std::lock_guard lock{mutex_};
        tls = wiring_->tls;
    }
    TlsKeeper::Changed changed;
    const bool looked = co_await cpu_.run([&tls, &changed] { changed = tls->look(); });
    if (!looked) co_return;  // busy: the next time
    const std::lock_guard lock{mutex_};
    if (tls != wiring_->tls) co_return;  // reloaded meanwhile: everything is as new as can be
    for (const EntrancePtr& entrance : entrances_) {
        const std::string& name = entrance->config().name;
        if (std::ranges::find(changed.listeners, name) != changed.listeners.end())
            entrance->set_tls(tls->listener(name));
    }
    for (const std::string& name : changed.upstreams) {
        for (std::size_t worker = 0; worker < workers_.size(); ++worker) {
            workers_[worker].post(
                [parts = parts_[worker].get(), name, context = tls->upstream(name)] {
                    parts->set_upstream_tls(name, context);
                });
        }
    }
}

std::vector<Server::Served> Server::served() const {
    std::vector<Served> all;
    for (const EntrancePtr& entrance : entrances_) {
        Served served;
        served.listener = entrance->config().name;
        served.scheme = entrance->config().url.scheme;
        served.address = entrance->address();
        served.port = entrance->port();
        // "All addresses" is nothing a client can connect to.
        if (served.address.starts_with("0.0.0.0:")) served.address.replace(0, 7, "127.0.0.1");
        if (served.address.starts_with("[::]:")) served.address.replace(0, 4, "[::1]");
        all.push_back(std::move(served));
        const config::Url& url = entrance->config().url;
        if (!url.is_http() && !url.is_coap()) continue;
        std::vector<std::string>& paths = all.back().paths;
        paths.emplace_back(transports::http1::kWellKnown);
        for (const std::string& label : wiring_->labels) {
            paths.push_back(transports::http1::render_path(transports::http1::kWellKnown, label,
                                                           Operation::unspecified));
        }
        for (const std::string& alias : entrance->config().aliases) paths.push_back(alias);
    }
    return all;
}

/// What was answered goes out, in blocks that its clients ask for, while they do.
void Server::drain_coap(BootTime until) {
    if (coap_ == nullptr) return;
    static constexpr std::chrono::milliseconds kLook{20};
    static constexpr std::chrono::seconds kPatience{3};  // with a client that asks for no more
    const BootTime end = std::min(until, clock_.boot_now() + kPatience);
    const auto waited_for = [](const EntrancePtr& one) {
        return one->config().url.is_coap() && !one->deserted();
    };
    while (clock_.boot_now() < end &&
           (std::any_of(entrances_.begin(), entrances_.end(), waited_for) ||
            std::any_of(retired_.begin(), retired_.end(), waited_for)))
        std::this_thread::sleep_for(kLook);
    coap_->stop();
}

void Server::mail(Bytes der, std::function<void(std::optional<Reply>)> done) {
    const std::lock_guard lock{mutex_};
    for (const EntrancePtr& entrance : entrances_) {
        auto* const mail = dynamic_cast<MailEntrance*>(entrance.get());
        if (mail != nullptr) return mail->exchange(std::move(der), std::move(done));
    }
    done(std::nullopt);
}

bool Server::drain(BootTime until) {
    draining_ = true;
    for (const EntrancePtr& entrance : entrances_) entrance->stop();
    if (started_) workers_[0].post([this] { renewer_->stop(); });
    const bool ended = workers_.drain(until);
    drain_coap(until);
    on_each_worker([this](std::size_t worker) { parts_[worker]->close_upstreams(); });
    workers_.stop();
    started_ = false;
    cpu_.stop();
    kdf_.stop();
    store_->stop();
    return ended;
}

metrics::Snapshot Server::snapshot() const {
    const bool ready = admin::judge_ready(health()).good;
    const std::lock_guard lock{mutex_};
    metrics::Snapshot snapshot;
    snapshot.samples.push_back(
        {"cmpgate_ready", "1: /ready says so.", true, {}, ready ? 1.0 : 0.0});
    snapshot.listeners = wiring_->listeners;
    for (const auto& parts : parts_) snapshot.workers.push_back(&parts->messages());
    add_server_samples(snapshot, *wiring_, entrances_, parts_, store_->sizes(),
                       store_->inventory().sizes(), secrets_->counts(), store_->figures());
    add_coap_samples(snapshot.samples, entrances_);
    add_expiry_samples(snapshot.samples, *wiring_->settings);
    add_secret_samples(snapshot.samples, store_->secret_figures(clock_.wall_now()));
    renewer_->add_samples(snapshot.samples);
    add_process_samples(snapshot.samples);
    if (trail_ != nullptr) trail_->add_samples(snapshot.samples);
    for (const Samples& more : more_samples_) more(snapshot.samples);
    return snapshot;
}

admin::HealthFacts Server::health() const {
    const std::lock_guard lock{mutex_};
    admin::HealthFacts facts;
    facts.clock_fault = clock_fault(clock_.wall_now(), source_time());
    facts.draining = draining_;
    facts.store_fault = store_->fault();
    for (const Renewer::State& one : renewer_->states())
        facts.renewals.push_back({one.credential, one.fault});
    facts.audit_failed = trail_ != nullptr && !trail_->usable();
    facts.ready_without_upstream = wiring_->config.admin.ready_without_upstream;
    for (const config::UpstreamConfig& upstream : wiring_->config.upstreams)
        facts.upstreams.push_back({upstream.name, !is_up(upstream.name, parts_)});
    const BootTime now = clock_.boot_now();
    facts.serving = true;
    for (const auto& parts : parts_) {
        const BootTime turned = parts->last_turn();
        if (turned == BootTime{}) facts.serving = false;  // not started yet
        facts.workers.push_back(
            {turned == BootTime{} ? std::chrono::nanoseconds{0} : now - turned});
    }
    return facts;
}

}  // namespace ra::app
