#include <malloc.h>
#include <unistd.h>

#include <CLI/App.hpp>
#include <iostream>

#include "ra/app/clock_watch.h"
#include "ra/app/commands.h"
#include "ra/app/config/load.h"
#include "ra/app/lab_ca.h"
#include "ra/app/process.h"
#include "ra/app/ready.h"
#include "ra/app/version.h"

namespace ra::app {
namespace {

int serve(const std::string& path) {
    const EndSignals signals;
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
    auto server = std::make_unique<Server>(config, settings, log, lab_ca ? &lab_ca->ca : nullptr,
                                           inherited_sockets());
    server->add_secrets(std::move(secrets));
    server->start();
    announce(*server, config, log);
    const ClockWatch watch{clock, source_time(), log, [] { notify_manager("READY=1"); }};
    return end_well(std::move(server), signals, config.drain_timeout, log);
}

}  // namespace

void add_serve(CLI::App& app, Run& run) {
    CLI::App* command = app.add_subcommand("serve", "Run the gateway");
    auto path = std::make_shared<std::string>();
    command->add_option("-c,--config", *path, "Configuration file (TOML)")->required();
    command->callback([&run, path] { run = [path] { return serve(*path); }; });
}

}  // namespace ra::app
