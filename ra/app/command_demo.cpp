#include <CLI/App.hpp>
#include <CLI/Validators.hpp>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "ra/app/admin_server.h"
#include "ra/app/commands.h"
#include "ra/app/demo_doors.h"
#include "ra/app/demo_files.h"
#include "ra/app/operations.h"
#include "ra/app/ready.h"

namespace ra::app {
namespace {

struct Options {
    std::uint16_t port = 8080;
    std::string ready_file;
};

/// What to type, in the order in which it makes sense. The first is the enrolment.
void print_commands(const Server::Served& served, const std::filesystem::path& directory) {
    const std::string in = directory.string() + '/';
    const std::string path = served.paths.front();
    const std::string by_device =
        "-cert " + in + "device.pem -key " + in + "device.key -trusted " + in + "ca.pem";
    const std::string by_new =
        "-cert device-1.pem -key " + in + "new.key -trusted " + in + "ca.pem";
    const std::string at = "openssl cmp -server " + served.address + " -path " + path;
    std::cout << "A lab CA, a gateway in front of it, and devices: one with a factory certificate, "
                 "one with a secret.\n\n"
              << "  serves   http://" << served.address << path << '\n'
              << "  files    " << in << "  (removed at the end)\n\n"
              << "enrol (ir, certConf)\n  " << at << " -cmd ir " << by_device << " -newkey " << in
              << "new.key -subject '/CN=device-1/O=cmpgate demo' -certout device-1.pem\n"
              << "enrol another device, by a secret good for one certificate (ir under a MAC)\n  "
              << at << " -cmd ir -ref device-2 -secret file:" << in << "device-2.secret -trusted "
              << in << "ca.pem -newkey " << in
              << "next.key -subject '/CN=device-2/O=cmpgate demo' -certout device-2.pem\n"
              << "the secret once more: refused by rule \"secret-uses\"\n  " << at
              << " -cmd ir -ref device-2 -secret file:" << in << "device-2.secret -newkey " << in
              << "next.key -subject '/CN=device-2/O=cmpgate demo' -certout none.pem\n"
              << "somebody else's name: refused by rule \"subject\"\n  " << at << " -cmd ir "
              << by_device << " -newkey " << in
              << "new.key -subject '/CN=device-2/O=cmpgate demo' -certout none.pem\n"
              << "update the key (kur)\n  " << at << " -cmd kur " << by_new << " -newkey " << in
              << "update.key -certout updated.pem\n"
              << "the CA's certificates (genm)\n  " << at << " -cmd genm -infotype caCerts "
              << by_device << '\n'
              << "revoke (rr)\n  " << at << " -cmd rr " << by_new
              << " -oldcert device-1.pem -revreason 4\n"
              << "the configuration, checked\n  cmpgate check -c " << in << "cmpgate.toml\n\n";
}

int demo(const Options& options) {
    const Signals signals;
    TemporaryDirectory directory;
    DemoWorld world{directory.path(), options.port};

    config::Faults faults{(directory.path() / "cmpgate.toml").string()};
    const config::Config config = config::parse_config(world.config, faults.file(), faults);
    auto settings = config::load_settings(config, faults);
    if (settings == nullptr)
        throw std::logic_error("the demonstration's configuration:\n" + faults.text());
    settings->upstreams.at("lab").responder.trust =
        crypto::TrustStore::of({world.lab_ca.ca.certificate()});

    Log log{config.log};
    auto server = std::make_unique<Server>(config, std::move(settings), log, &world.lab_ca.ca);
    server->add_secrets(config::load_secrets(config, SystemClock{}.wall_now(), faults));
    admin::Admin admin;
    add_mail_endpoint(admin, *server);
    AdminServer admin_server{config.admin, admin, log};
    server->start();
    admin_server.start();
    const std::vector<Server::Served> all = server->served();
    const Server::Served& served = all.front();
    print_commands(served, directory.path());
    print_doors(std::cout, all, directory.path());
    std::cout << "ready on " << served.address << "; Ctrl-C ends it\n" << std::flush;
    if (!options.ready_file.empty()) {
        std::ofstream file{options.ready_file};
        file << "http://" << served.address << served.paths.front() << '\n'
             << directory.path().string() << '\n';
    }
    Ending ending;
    ending.drain_timeout = config.drain_timeout;
    ending.at_once = [&] { directory.remove(); };
    ending.at_last = [&] { admin_server.stop(); };
    return end_well(std::move(server), signals, log, ending);
}

}  // namespace

void add_demo(CLI::App& app, Run& run) {
    CLI::App* command = app.add_subcommand(
        "demo", "A lab CA and a gateway in front of it, on this machine, with nothing to set up");
    auto options = std::make_shared<Options>();
    command->add_option("--port", options->port, "HTTP port on 127.0.0.1; 0: any")
        ->capture_default_str();
    command->add_option(
        "--ready-file", options->ready_file,
        "Written once it serves: the URL and the directory of its files, a line each");
    command->callback([&run, options] { run = [options] { return demo(*options); }; });
}

}  // namespace ra::app
