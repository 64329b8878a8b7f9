#include "ra/app/server.h"

#include <sched.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <future>
#include <set>
#include <thread>

#include "ra/app/server_metrics.h"
#include "ra/app/worker_parts.h"
#include "transports/http1/paths.h"

namespace ra::app {

using transports::common::Listener;
using transports::common::ListenerSettings;

namespace {

constexpr std::size_t kCpuQueue = 1024;
constexpr int kKdfNice = 10;
constexpr std::chrono::milliseconds kSweepEvery{500};

/// The processors we may use, which in a container are not the ones there are.
std::size_t processors() {
    cpu_set_t set;
    if (::sched_getaffinity(0, sizeof set, &set) == 0) {
        if (const int count = CPU_COUNT(&set); count > 0) return static_cast<std::size_t>(count);
    }
    return std::max(1U, std::thread::hardware_concurrency());
}

transports::common::FaultLog fault_log(Log& log) {
    return [&log](std::string_view where, std::exception_ptr fault) {
        std::string what = "unknown";
        try {
            std::rethrow_exception(std::move(fault));
        } catch (const std::exception& exception) {
            what = exception.what();
        } catch (...) {
        }
        log.write(Log::Level::error, "fault",
                  {{"where", where}, {"detail", std::string_view{what}}});
    };
}

ListenerSettings listener_settings(const config::ListenerConfig& config) {
    ListenerSettings settings;
    settings.address = config.url.host;
    settings.port = config.url.port;
    settings.max_connections = config.max_connections;
    return settings;
}

}  // namespace

Server::Server(const config::Config& config, gateway::SettingsPtr settings, Log& log,
               Exchange* lab_ca, std::vector<Inherited> inherited)
    : log_{log},
      cpu_{processors(), kCpuQueue},
      kdf_{1, kCpuQueue, kKdfNice},
      workers_{config.workers != 0 ? config.workers : processors(), fault_log(log)} {
    for (const config::ListenerConfig& listener : config.listeners) {
        listener_names_.push_back(listener.name);
        aliases_.push_back(listener.aliases);
    }
    for (const config::UpstreamConfig& upstream : config.upstreams)
        upstream_names_.push_back(upstream.name);
    std::set<std::string> labels;
    for (const policy::ProfilePtr& profile : settings->profiles) {
        for (const std::string& label : profile->match.labels) {
            if (!label.empty()) labels.insert(label);
        }
    }
    labels_.assign(labels.begin(), labels.end());

    store_ = std::make_unique<StoreHost>(config, clock_, random_, log_);
    secrets_ = std::make_unique<gateway::SecretGate>(
        store_->secrets(), clock_, random_, gateway::GuessLimits{},
        [&log](std::string_view event, ByteView reference) {
            log.write(Log::Level::error, event, {{"reference", as_text(reference)}});
        });
    const WorkerParts::Shared shared{
        config, std::move(settings), store_->store(), *secrets_, cpu_, kdf_, clock_,
        log_,   listener_names_,     labels_,         lab_ca};
    for (std::size_t i = 0; i < workers_.size(); ++i)
        parts_.push_back(std::make_unique<WorkerParts>(workers_[i], shared));
    listen(config, std::move(inherited));
}

Server::~Server() {
    for (const auto& listener : listeners_) listener->stop();
    workers_.stop();
    cpu_.stop();
    kdf_.stop();
    if (store_) store_->stop();
}

void Server::listen(const config::Config& config, std::vector<Inherited> inherited) {
    for (std::size_t i = 0; i < config.listeners.size(); ++i) {
        const config::ListenerConfig& listener = config.listeners[i];
        std::vector<Listener::Seat> seats;
        for (std::size_t worker = 0; worker < workers_.size(); ++worker)
            seats.push_back({workers_[worker], parts_[worker]->http(i)});

        auto socket = std::find_if(inherited.begin(), inherited.end(),
                                   [&](const Inherited& s) { return s.name == listener.name; });
        if (socket == inherited.end()) {
            // Sockets without a name of ours are taken in order.
            socket = std::find_if(inherited.begin(), inherited.end(), [&](const Inherited& s) {
                return std::find(listener_names_.begin(), listener_names_.end(), s.name) ==
                       listener_names_.end();
            });
        }
        if (socket == inherited.end()) {
            listeners_.push_back(
                std::make_unique<Listener>(listener_settings(listener), std::move(seats)));
            continue;
        }
        listeners_.push_back(std::make_unique<Listener>(
            transports::common::adopt_listen_socket(socket->descriptor, workers_.size()),
            listener_settings(listener), std::move(seats)));
        inherited.erase(socket);
    }
    if (!inherited.empty()) {
        throw std::runtime_error("systemd hands over more sockets than there are [[listener]]s");
    }
}

void Server::add_secrets(std::vector<gateway::NewSecret> secrets) {
    asio::io_context io;
    std::exception_ptr failed;
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

void Server::start() {
    workers_.start();
    workers_[0].post([this] { sweep(); });
    for (const auto& listener : listeners_) listener->start();
}

void Server::sweep() {
    store_->sweep();
    workers_[0].schedule(clock_.boot_now() + kSweepEvery, [this] { sweep(); });
}

std::vector<Server::Served> Server::served() const {
    std::vector<Served> all;
    for (std::size_t i = 0; i < listeners_.size(); ++i) {
        Served served;
        served.listener = listener_names_[i];
        served.address = listeners_[i]->text();
        served.port = listeners_[i]->port();
        // "All addresses" is nothing a client can connect to.
        if (served.address.starts_with("0.0.0.0:")) served.address.replace(0, 7, "127.0.0.1");
        if (served.address.starts_with("[::]:")) served.address.replace(0, 4, "[::1]");
        served.paths.emplace_back(transports::http1::kWellKnown);
        for (const std::string& label : labels_) {
            served.paths.push_back(transports::http1::render_path(transports::http1::kWellKnown,
                                                                  label, Operation::unspecified));
        }
        for (const std::string& alias : aliases_[i]) served.paths.push_back(alias);
        all.push_back(std::move(served));
    }
    return all;
}

bool Server::drain(BootTime until) {
    for (const auto& listener : listeners_) listener->stop();
    const bool ended = workers_.drain(until);
    for (std::size_t i = 0; i < workers_.size(); ++i) {
        std::promise<void> closed;
        workers_[i].post([this, i, &closed] {
            parts_[i]->close_upstreams();
            closed.set_value();
        });
        closed.get_future().wait();
    }
    workers_.stop();
    cpu_.stop();
    kdf_.stop();
    store_->stop();
    return ended;
}

metrics::Snapshot Server::snapshot() const {
    metrics::Snapshot snapshot;
    snapshot.listeners = listener_names_;
    for (const auto& parts : parts_) snapshot.workers.push_back(&parts->messages());
    add_server_samples(snapshot, listener_names_, listeners_, upstream_names_, parts_,
                       store_->sizes(), secrets_->counts(), store_->figures());
    return snapshot;
}

}  // namespace ra::app
