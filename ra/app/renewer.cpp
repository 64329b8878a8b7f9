#include "ra/app/renewer.h"

#include <algorithm>

#include "ra/app/config/credential_files.h"
#include "ra/asn1/name.h"

namespace ra::app {
namespace {

using std::chrono::seconds;

constexpr seconds kLookEvery{3600};  // the wall clock may be set meanwhile
constexpr seconds kFirstPause{60}, kLongestPause{3600}, kShortestPause{5};
constexpr seconds kTakenOver{60};  // until the workers have what was renewed
constexpr seconds kAnswerTime{30};

seconds lifetime_of(const crypto::Certificate& certificate) noexcept {
    return certificate.view().not_after - certificate.view().not_before;
}

std::string text_of(const gateway::Failure& failure) {
    if (const auto* fault = std::get_if<gateway::UpstreamFault>(&failure))
        return std::string(fault->rule) + (fault->detail.empty() ? "" : ": " + fault->detail);
    if (const auto* busy = std::get_if<gateway::Busy>(&failure))
        return "busy: " + std::string(busy->bound);
    return "failed";
}

gateway::UpstreamFault fault(std::string_view rule, std::string detail) {
    return {rule, cmp::PKIFailureInfo::systemFailure, std::move(detail), false};
}

}  // namespace

WallTime renewal_due(const crypto::Certificate& certificate,
                     std::optional<seconds> before) noexcept {
    return certificate.view().not_after - before.value_or(lifetime_of(certificate) / 3);
}

seconds renewal_pause(unsigned failures, seconds left) {
    seconds pause = kFirstPause;
    for (unsigned i = 1; i < failures && pause < kLongestPause; ++i) pause *= 2;
    pause = std::min(pause, kLongestPause);
    if (left.count() > 0) pause = std::min(pause, left / 8);
    return std::max(pause, kShortestPause);
}

Renewer::Renewer(World world, Renewed renewed)
    : world_{std::move(world)}, renewed_{std::move(renewed)}, chains_{world_.clock} {}

/// 0 to 1.
double Renewer::chance() {
    std::uint8_t octets[2];
    world_.worker.random().fill(octets);
    return (octets[0] * 256.0 + octets[1]) / 65535.0;
}

void Renewer::use(std::shared_ptr<const Wiring> wiring) {
    wiring_ = std::move(wiring);
    std::map<std::string, JobPtr> before;
    before.swap(jobs_);
    for (const auto& [name, settings] : wiring_->settings->renewals) {
        const auto& credentials = wiring_->settings->credentials;
        const auto& configs = wiring_->config.credentials;
        const auto credential = std::find_if(credentials.begin(), credentials.end(),
                                             [&](const auto& one) { return one->name == name; });
        const auto config = std::find_if(configs.begin(), configs.end(),
                                         [&](const auto& one) { return one.name == name; });
        if (credential == credentials.end() || config == configs.end()) continue;
        const auto was = before.find(name);
        const bool known = was != before.end() && was->second->credential->certificate->digest() ==
                                                      (*credential)->certificate->digest();
        JobPtr job = known ? was->second : std::make_shared<Job>();
        if (known) before.erase(was);
        const bool running = known && job->running;
        job->credential = *credential;
        job->settings = settings;
        // What runs goes on with the files it began with.
        if (!running) job->config = std::make_unique<config::CredentialConfig>(*config);
        const WallTime due = renewal_due(*job->credential->certificate, settings.before);
        const auto ahead = job->credential->certificate->view().not_after - due;
        job->due =
            due +
            seconds{static_cast<std::int64_t>(static_cast<double>(ahead.count()) / 10 * chance())};
        jobs_[name] = job;
        {
            const std::lock_guard lock{mutex_};
            State& state = states_[name];
            state.credential = name;
            state.upstream = settings.upstream;
            if (!known) state.fault.clear();
        }
        if (!known) finish_files(*job);
        if (!running) plan(name, job);
    }
    for (const auto& [name, job] : before) {
        if (job->timer != 0) world_.worker.cancel(job->timer);
        job->timer = 0;
    }
    const std::lock_guard lock{mutex_};
    std::erase_if(states_, [this](const auto& one) { return !jobs_.contains(one.first); });
}

void Renewer::stop() {
    stopping_ = true;
    for (const auto& [name, job] : jobs_) {
        if (job->stop) std::exchange(job->stop, nullptr)();
    }
}

/// A crash may have come between the two names of a credential.
void Renewer::finish_files(const Job& job) {
    try {
        if (config::CredentialFiles{*job.config, wiring_->config.directory}.finish()) {
            world_.log.write(Log::Level::warning, "credential_renewal_finished",
                             {{"credential", std::string_view{job.credential->name}},
                              {"detail", "what a crash had left of its renewal"}});
        }
    } catch (const std::exception& wrong) {
        world_.log.write(Log::Level::error, "credential_renewal_failed",
                         {{"credential", std::string_view{job.credential->name}},
                          {"detail", std::string_view{wrong.what()}}});
    }
}

void Renewer::plan(const std::string& name, const JobPtr& job) {
    if (job->timer != 0) world_.worker.cancel(job->timer);
    const BootTime now = world_.clock.boot_now();
    const WallTime wall = world_.clock.wall_now();
    const WallTime due =
        std::max(job->due, wall + std::chrono::ceil<seconds>(std::max(
                                      job->not_before - now, std::chrono::nanoseconds{0})));
    const seconds wait = std::clamp(seconds{due - wall}, seconds{0}, kLookEvery);
    {
        const std::lock_guard lock{mutex_};
        states_[name].due = due;
    }
    job->timer = world_.worker.schedule(now + wait, [this, name, job] {
        job->timer = 0;
        look(name, job);
    });
}

void Renewer::look(const std::string& name, const JobPtr& job) {
    if (stopping_ || world_.worker.tasks().draining() || job->running) return;
    const auto current = jobs_.find(name);
    if (current == jobs_.end() || current->second != job) return;
    if (world_.clock.wall_now() < job->due || world_.clock.boot_now() < job->not_before)
        return plan(name, job);
    job->running = true;
    world_.worker.tasks().spawn("renew", attempt(name, job));
}

asio::awaitable<void> Renewer::attempt(std::string name, JobPtr job) {
    gateway::Outcome<gateway::Renewed> outcome = gateway::Failure{gateway::Busy{"none"}};
    std::string not_installed;
    try {
        outcome = co_await renew(job);
        if (outcome) {
            const auto install = [&job, &not_installed, directory = wiring_->config.directory] {
                try {
                    config::CredentialFiles{*job->config, directory}.install();
                } catch (const std::exception& wrong) {
                    not_installed = wrong.what();
                }
            };
            if (!co_await world_.cpu.run(install)) install();
        }
    } catch (const std::exception& wrong) {
        outcome = gateway::Failure{fault("renewal-failed", wrong.what())};
    }
    job->running = false;
    job->stop = nullptr;
    if (stopping_) co_return;
    if (outcome) {
        succeeded(name, *job, *outcome, not_installed);
    } else {
        failed(name, *job, outcome.error());
    }
    const auto current = jobs_.find(name);
    if (current != jobs_.end() && current->second == job) plan(name, job);
}

asio::awaitable<gateway::Outcome<gateway::Renewed>> Renewer::renew(JobPtr job) {
    using gateway::Failure;
    const std::shared_ptr<const Wiring> wiring = wiring_;
    const WallTime ends = job->credential->certificate->view().not_after;
    const seconds left = ends - world_.clock.wall_now();
    if (left.count() <= 0)
        co_return Failure{fault("renewal-expired", "it has ended: a new one must be put there")};
    const auto way = world_.way(job->settings.upstream);
    const auto upstream = wiring->settings->upstreams.find(job->settings.upstream);
    if (way == nullptr || upstream == wiring->settings->upstreams.end())
        co_return Failure{fault("no-upstream", job->settings.upstream)};

    const config::CredentialFiles files{*job->config, wiring->config.directory};
    gateway::RenewalRequest request;
    request.credential = job->credential;
    request.new_key = job->credential->key;
    if (!job->settings.same_key) {
        const std::string kind =
            job->settings.key_kind.empty() ? job->credential->key->kind() : job->settings.key_kind;
        std::string wrong;
        const auto make = [&request, &wrong, &kind] {
            try {
                request.new_key = crypto::PrivateKey::generate(kind);
            } catch (const std::exception& failure) {
                wrong = failure.what();
            }
        };
        if (!co_await world_.cpu.run(make)) co_return Failure{gateway::Busy{"cpu"}};
        if (!wrong.empty()) co_return Failure{fault("renewal-key", wrong)};
    }
    request.upstream = upstream->second;
    request.trust = job->settings.trust;
    request.label = job->settings.label;
    request.answer_time = kAnswerTime;
    request.deadline = world_.clock.boot_now() + std::min(job->settings.timeout, left);
    request.keep = [&files](const crypto::Credential& made) -> std::string {
        try {
            files.keep(made);
            return {};
        } catch (const std::exception& wrong) {
            return wrong.what();
        }
    };
    request.until_stopped = [this, job](std::function<void()> stop) {
        if (stopping_) return false;
        job->stop = std::move(stop);
        return true;
    };
    co_return co_await gateway::renew(
        std::move(request), *way,
        {world_.cpu, world_.clock, world_.worker, world_.worker.random(), chains_},
        *wiring->settings);
}

void Renewer::succeeded(const std::string& name, Job& job, const gateway::Renewed& renewed,
                        const std::string& not_installed) {
    job.failures = 0;
    job.not_before = world_.clock.boot_now() + kTakenOver;
    {
        const std::lock_guard lock{mutex_};
        State& state = states_[name];
        ++state.renewed;
        state.fault = not_installed;
    }
    const crypto::Certificate& made = *renewed.credential->certificate;
    const std::string subject = asn1::name_text(made.subject());
    const std::string ends = config::time_text(made.view().not_after);
    std::vector<Field> fields = {{"credential", std::string_view{name}},
                                 {"subject", std::string_view{subject}},
                                 {"until", std::string_view{ends}},
                                 {"upstream", std::string_view{job.settings.upstream}},
                                 {"key", job.settings.same_key ? "same" : "new"}};
    for (std::size_t i = 0; i < gateway::kQuirks; ++i) {
        if (renewed.quirks.has(static_cast<gateway::Quirk>(i)))
            fields.push_back({"quirk", gateway::kQuirkNames[i]});
    }
    world_.log.write(Log::Level::info, "credential_renewed", fields);
    if (!not_installed.empty()) {
        world_.log.write(
            Log::Level::error, "credential_not_installed",
            {{"credential", std::string_view{name}},
             {"detail", std::string_view{not_installed}},
             {"advice", "in use, but a restart would not find it: move the .new files"}});
    }
    renewed_(renewed.credential);
}

void Renewer::failed(const std::string& name, Job& job, const gateway::Failure& failure) {
    ++job.failures;
    const seconds left = job.credential->certificate->view().not_after - world_.clock.wall_now();
    const auto pause =
        std::chrono::duration<double>(renewal_pause(job.failures, left)) * (0.75 + chance() / 2);
    job.not_before =
        world_.clock.boot_now() + std::chrono::duration_cast<std::chrono::nanoseconds>(pause);
    const std::string why = text_of(failure);
    const auto* const said = std::get_if<gateway::UpstreamFault>(&failure);
    const bool doubtful = said != nullptr && said->possibly_issued;
    {
        const std::lock_guard lock{mutex_};
        State& state = states_[name];
        ++state.failed;
        state.fault = why;
    }
    world_.log.write(Log::Level::error, "credential_renewal_failed",
                     {{"credential", std::string_view{name}},
                      {"upstream", std::string_view{job.settings.upstream}},
                      {"detail", std::string_view{why}},
                      {"possibly_issued", doubtful},
                      {"again_in_s", pause.count()},
                      {"ends_in_s", static_cast<std::int64_t>(left.count())}});
}

std::vector<Renewer::State> Renewer::states() const {
    const std::lock_guard lock{mutex_};
    std::vector<State> all;
    for (const auto& [name, state] : states_) all.push_back(state);
    return all;
}

void Renewer::add_samples(std::vector<metrics::Sample>& samples) const {
    const std::vector<State> all = states();
    for (const auto& [result, count] :
         {std::pair{"renewed", &State::renewed}, std::pair{"failed", &State::failed}}) {
        for (const State& state : all) {
            samples.push_back({"cmpgate_credential_renewals_total",
                               "Tries to renew a credential by how they ended.",
                               false,
                               {{"credential", state.credential}, {"result", result}},
                               static_cast<double>(state.*count)});
        }
    }
    for (const State& state : all) {
        samples.push_back({"cmpgate_credential_renewal_due_timestamp_seconds",
                           "When a credential is to be renewed, or that is tried again.",
                           true,
                           {{"credential", state.credential}},
                           static_cast<double>(state.due.time_since_epoch().count())});
    }
    for (const State& state : all) {
        samples.push_back({"cmpgate_credential_renewal_failing",
                           "1: the last try to renew it failed.",
                           true,
                           {{"credential", state.credential}},
                           state.fault.empty() ? 0.0 : 1.0});
    }
}

}  // namespace ra::app
