#include "ra/app/reload.h"

#include <signal.h>
#include <unistd.h>

#include "ra/app/config/reload.h"

namespace ra::app {

Reloader::Reloader(Server& server, config::Config config, std::unique_ptr<LabCaHost>& lab_ca,
                   Log& log)
    : server_{server}, config_{std::move(config)}, lab_ca_{lab_ca}, log_{log} {
    for (const config::ListenerConfig& listener : config_.listeners)
        listeners_.push_back(listener.name);
}

void Reloader::end() {
    const std::lock_guard lock{mutex_};
    ended_ = true;
    for (const auto& done : asked_) done({false, "the gateway is ending"});
    asked_.clear();
}

void Reloader::ask(std::function<void(ReloadResult)> done) {
    {
        const std::lock_guard lock{mutex_};
        if (ended_) return done({false, "the gateway is ending"});
        asked_.push_back(std::move(done));
    }
    ::kill(::getpid(), SIGHUP);
}

bool Reloader::reload() {
    std::vector<std::function<void(ReloadResult)>> asked;
    {
        const std::lock_guard lock{mutex_};
        asked.swap(asked_);
    }
    config::Faults faults{config_.file};
    bool changed = false;
    try {
        changed = try_reload(faults);
    } catch (const std::exception& fault) {
        faults.error({}, fault.what());
    }
    for (const config::Fault& fault : faults.sorted()) {
        const bool is_error = fault.kind == config::Fault::Kind::error;
        log_.write(is_error ? Log::Level::error : Log::Level::warning, "config",
                   {{"file", std::string_view{faults.file()}},
                    {"line", static_cast<std::int64_t>(fault.at.line)},
                    {"column", static_cast<std::int64_t>(fault.at.column)},
                    {"detail", std::string_view{fault.text}}});
    }
    if (changed) {
        log_.write(Log::Level::info, "reloaded",
                   {{"config", std::string_view{config_.file}},
                    {"generation", static_cast<std::int64_t>(generation_)}});
    } else {
        log_.write(Log::Level::error, "reload_refused",
                   {{"config", std::string_view{config_.file}},
                    {"errors", static_cast<std::int64_t>(faults.errors())},
                    {"detail", "nothing has changed"}});
    }
    for (const auto& done : asked) done({changed, faults.text()});
    return changed;
}

void Reloader::renewed(crypto::CredentialPtr credential) {
    {
        const std::lock_guard lock{mutex_};
        if (ended_) return;
        renewed_.push_back(std::move(credential));
    }
    ::kill(::getpid(), SIGUSR1);
}

void Reloader::take_renewed() {
    std::vector<crypto::CredentialPtr> renewed;
    {
        const std::lock_guard lock{mutex_};
        renewed.swap(renewed_);
    }
    for (const crypto::CredentialPtr& one : renewed) {
        try {
            if (!server_.replace_credential(one, generation_ + 1)) continue;
            ++generation_;
            log_.write(Log::Level::info, "credential_in_use",
                       {{"credential", std::string_view{one->name}},
                        {"generation", static_cast<std::int64_t>(generation_)}});
        } catch (const std::exception& fault) {
            log_.write(Log::Level::error, "credential_not_in_use",
                       {{"credential", std::string_view{one->name}},
                        {"detail", std::string_view{fault.what()}}});
        }
    }
}

bool Reloader::try_reload(config::Faults& faults) {
    config::Config next = config::read_config(config_.file, faults);
    if (faults.has_errors()) return false;
    config::judge_reload(config_, next, faults);
    std::vector<std::string> listeners = listeners_;
    config::number_listeners(next, listeners, faults);
    if (faults.has_errors()) return false;
    auto settings = load_with_lab_ca(next, faults, lab_ca_, generation_ + 1);
    if (settings == nullptr) return false;
    Log::Change log = log_.prepare(next.log, next.directory);
    server_.reload(next, std::move(settings));
    log_.use(std::move(log));
    if (admin_ != nullptr) admin_->use(next.admin);
    listeners_ = std::move(listeners);
    config_ = std::move(next);
    ++generation_;
    return true;
}

}  // namespace ra::app
