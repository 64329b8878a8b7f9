#include <CLI/App.hpp>
#include <fstream>
#include <iostream>
#include <iterator>

#include "ra/app/commands.h"
#include "ra/app/explain_file.h"
#include "ra/app/lab_ca.h"
#include "ra/app/store_host.h"

namespace ra::app {
namespace {

struct Options {
    std::string config;
    std::string request;
    std::string label;
    std::string listener;
};

std::string plural(std::size_t count, std::string_view what) {
    return std::to_string(count) + ' ' + std::string(what) + (count == 1 ? "" : "s");
}

int check(const Options& options) {
    config::Faults faults{options.config};
    const config::Config config = config::read_config(options.config, faults);
    gateway::SettingsPtr settings;
    std::unique_ptr<LabCaHost> lab_ca;
    if (!faults.has_errors()) {
        check_store(config, faults);
        settings = load_with_lab_ca(config, faults, lab_ca);
    }
    (void)config::load_secrets(config, WallTime{}, faults);
    std::cerr << faults.text();
    if (settings == nullptr || faults.has_errors()) {
        std::cerr << options.config << ": " << plural(faults.errors(), "error") << ", "
                  << plural(faults.warnings(), "warning") << '\n';
        return kFailed;
    }
    if (options.request.empty()) {
        std::cout << options.config << ": good (" << plural(config.listeners.size(), "listener")
                  << ", " << plural(config.upstreams.size(), "upstream") << ", "
                  << plural(config.profiles.size(), "profile") << ", "
                  << plural(faults.warnings(), "warning") << ")\n";
        return 0;
    }
    return explain_file(options.request, {options.label, options.listener}, config, *settings,
                        std::cout);
}

}  // namespace

void add_check(CLI::App& app, Run& run) {
    CLI::App* command = app.add_subcommand(
        "check", "Read a configuration as serve does; every fault with its place");
    auto options = std::make_shared<Options>();
    command->add_option("-c,--config", options->config, "Configuration file (TOML)")->required();
    auto* request =
        command->add_option("--explain", options->request,
                            "A PKIMessage (DER, PEM, base64): what each rule says of it");
    command->add_option("--label", options->label, "as if it came to /.well-known/cmp/p/LABEL")
        ->needs(request);
    command->add_option("--listener", options->listener, "as if it came through this listener")
        ->needs(request);
    command->callback([&run, options] { run = [options] { return check(*options); }; });
}

}  // namespace ra::app
