#include <CLI/App.hpp>
#include <iostream>

#include "ra/app/commands.h"
#include "ra/app/doctor.h"
#include "ra/app/lab_ca.h"

namespace ra::app {
namespace {

int doctor(const std::string& path) {
    config::Faults faults{path};
    const config::Config config = config::read_config(path, faults);
    gateway::SettingsPtr settings;
    std::unique_ptr<LabCaHost> lab_ca;
    if (!faults.has_errors()) settings = load_with_lab_ca(config, faults, lab_ca);
    std::cerr << faults.text();
    if (settings == nullptr) return kFailed;
    return examine(config, *settings, std::cout);
}

}  // namespace

void add_doctor(CLI::App& app, Run& run) {
    CLI::App* command = app.add_subcommand(
        "doctor", "Try each upstream and each listener of a configuration; say what is wrong");
    auto path = std::make_shared<std::string>();
    command->add_option("-c,--config", *path, "Configuration file (TOML)")->required();
    command->callback([&run, path] { run = [path] { return doctor(*path); }; });
}

}  // namespace ra::app
