#include <malloc.h>
#include <unistd.h>

#include <CLI/App.hpp>
#include <iostream>

#include "ra/app/audit_trail.h"
#include "ra/app/clock_watch.h"
#include "ra/app/commands.h"
#include "ra/app/config/load.h"
#include "ra/app/lab_ca.h"
#include "ra/app/ledger_endpoints.h"
#include "ra/app/operations.h"
#include "ra/app/process.h"
#include "ra/app/ready.h"
#include "ra/app/reload.h"
#include "ra/app/secret_endpoints.h"
#include "ra/app/version.h"

namespace ra::app {
namespace {

/// Null: the configuration does not ask for one. Its key has been judged by load_settings().
std::unique_ptr<AuditTrail> open_trail(const config::Config& config,
                                       const gateway::Settings& settings, Log& log) {
    if (config.audit.path.empty()) return nullptr;
    config::Faults faults{config.file};
    AuditTrail::Settings made;
    made.path = config.audit.path;
    made.key = config::load_audit_key(config, faults);
    if (faults.has_errors()) throw std::runtime_error(faults.text());
    made.node = config.audit.node.empty() ? config.hop : config.audit.node;
    made.refuse_on_failure = config.audit.refuse_on_failure;
    made.signer = gateway::credential_of(settings, config.audit.credential.value);
    return std::make_unique<AuditTrail>(std::move(made), log);
}

int serve(const std::string& path) {
    const Signals signals;
    config::Faults faults{path};
    const config::Config config = config::read_config(path, faults);
    gateway::SettingsPtr settings;
    std::unique_ptr<LabCaHost> lab_ca;
    if (!faults.has_errors()) settings = load_with_lab_ca(config, faults, lab_ca);
    const SystemClock clock;
    auto secrets = config::load_secrets(config, clock.wall_now(), faults);
    std::cerr << faults.text();
    if (settings == nullptr || faults.has_errors()) return kFailed;

    Log log{config.log, config.directory};
    const auto trail = open_trail(config, *settings, log);
    auto server = std::make_unique<Server>(config, settings, log, lab_ca ? &lab_ca->ca : nullptr,
                                           inherited_sockets(), trail.get());
    server->add_secrets(std::move(secrets));
    Reloader reloader{*server, config, lab_ca, log};
    server->on_renewed(
        [&reloader](crypto::CredentialPtr credential) { reloader.renewed(std::move(credential)); });
    admin::Admin admin;
    add_operations(admin, *server, [&reloader](auto done) { reloader.ask(std::move(done)); });
    add_mail_endpoint(admin, *server);
    add_secret_endpoints(admin, server->secrets(), clock);
    add_ledger_endpoints(
        admin, [&server = *server](std::int64_t id) { return server.clear_orphan(id); }, log,
        trail.get());
    AdminServer admin_server{config.admin, admin, log};
    reloader.also(admin_server);
    server->start();
    admin_server.start();
    announce(*server, config, log);
    for (const std::string& served : admin_server.served())
        log.write(Log::Level::info, "admin", {{"address", std::string_view{served}}});
    const ClockWatch watch{clock, source_time(), log, [] { notify_manager("READY=1"); }};
    Ending ending;
    ending.drain_timeout = config.drain_timeout;
    // `[audit]` stays while it runs; what is behind the name of its credential need not.
    const auto follow_signer = [&trail, &server = *server, name = config.audit.credential.value] {
        if (trail != nullptr) trail->sign_with(server.credential(name));
    };
    ending.on_hangup = [&] {
        notify_reloading();
        if (reloader.reload() && trail != nullptr) trail->reopen();
        follow_signer();
        ending.drain_timeout = reloader.config().drain_timeout;
        // Else the clock is waited for, and says so itself.
        if (clock_fault(clock.wall_now(), source_time()).empty()) notify_manager("READY=1");
    };
    ending.on_renewed = [&] {
        reloader.take_renewed();
        follow_signer();
    };
    ending.at_last = [&] {
        reloader.end();
        admin_server.stop();
        if (trail != nullptr) trail->stop();
    };
    return end_well(std::move(server), signals, log, ending);
}

}  // namespace

void add_serve(CLI::App& app, Run& run) {
    CLI::App* command = app.add_subcommand("serve", "Run the gateway");
    auto path = std::make_shared<std::string>();
    command->add_option("-c,--config", *path, "Configuration file (TOML)")->required();
    command->callback([&run, path] { run = [path] { return serve(*path); }; });
}

}  // namespace ra::app
