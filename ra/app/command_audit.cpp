#include <CLI/App.hpp>
#include <cerrno>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <system_error>

#include "ra/app/audit_verify.h"
#include "ra/app/commands.h"
#include "ra/app/config/credential_files.h"
#include "ra/app/config/load.h"
#include "ra/app/config/material.h"

namespace ra::app {
namespace {

struct Options {
    std::string file;
    std::string config;
    std::string key;
    std::vector<std::string> certificates;
    std::vector<std::string> logs;
};

std::ifstream open(const std::string& path) {
    std::ifstream file{path, std::ios::binary};
    if (!file) throw std::runtime_error(path + ": " + std::generic_category().message(errno));
    return file;
}

/// Key and signers as given, else as the configuration has them: of the credential that signs now
/// and of the one it followed.
Secret key_of(const Options& options, std::vector<std::string>& certificates) {
    if (!options.config.empty()) {
        config::Faults faults{options.config};
        const config::Config config = config::read_config(options.config, faults);
        Secret key = config::load_audit_key(config, faults);
        if (faults.has_errors()) throw std::runtime_error(faults.text());
        if (config.audit.path.empty()) throw std::runtime_error(options.config + " has no [audit]");
        for (const config::CredentialConfig& one : config.credentials) {
            if (one.name != config.audit.credential.value) continue;
            certificates.push_back(
                config::Material{one.certificate.value, config.directory}.path());
            const std::string before = config::replaced_certificate(one, config.directory);
            if (!before.empty()) certificates.push_back(before);
        }
        return key;
    }
    const config::Material material{config::Source::parse(options.key), "."};
    std::string text = material.read();
    Secret key{to_bytes(as_bytes(text))};
    wipe(text.data(), text.size());
    return key;
}

int verify(const Options& options) {
    if (options.config.empty() == options.key.empty())
        throw std::runtime_error("give the configuration (-c) or the key (--key), one of them");
    std::vector<std::string> certificates = options.certificates;
    const Secret key = key_of(options, certificates);
    VerifyWith with;
    with.key = key.reveal();
    for (const std::string& certificate : certificates)
        with.signers.push_back(crypto::load_certificates(certificate).front());
    for (const std::string& log : options.logs) {
        auto file = open(log);
        const auto more = checkpoints_in(file);
        with.checkpoints.insert(with.checkpoints.end(), more.begin(), more.end());
    }
    auto trail = open(options.file);
    const Verdict verdict = verify_trail(trail, with);
    for (const std::string& warning : verdict.warnings)
        std::cerr << options.file << ": warning: " << warning << '\n';
    for (const std::string& fault : verdict.faults)
        std::cerr << options.file << ": error: " << fault << '\n';
    std::cout << options.file << ": " << verdict.lines << " lines of " << verdict.boots
              << " starts, " << verdict.faults.size() << " faults; "
              << (verdict.vouched.empty() ? "no checkpoint vouches for any"
                                          : "vouched for up to " + verdict.vouched)
              << '\n';
    return verdict.faults.empty() ? 0 : kFailed;
}

}  // namespace

void add_audit(CLI::App& app, Run& run) {
    CLI::App* audit = app.add_subcommand(
        "audit", "What must not be forgotten: the audit trail, and certificates nobody has");
    audit->require_subcommand(1);
    CLI::App* command = audit->add_subcommand(
        "verify", "Whether a trail is whole and unchanged, and up to where that can be told");
    auto options = std::make_shared<Options>();
    command->add_option("file", options->file, "The trail")->required();
    command->add_option("-c,--config", options->config, "Configuration that it was written by");
    command->add_option("--key", options->key, "file:PATH, env:NAME: the key of its MACs");
    command
        ->add_option("--certificate", options->certificates,
                     "Whose key signed the checkpoints; several times where it was renewed since")
        ->allow_extra_args(false);
    command->add_option("--log", options->logs,
                        "Logs of the gateway, whose checkpoints tell what was cut off");
    command->callback([&run, options] { run = [options] { return verify(*options); }; });
    add_orphans(*audit, run);
    add_clear(*audit, run);
}

}  // namespace ra::app
