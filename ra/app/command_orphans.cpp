#include <CLI/App.hpp>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <ctime>
#include <filesystem>
#include <iostream>

#include "ra/app/commands.h"
#include "ra/app/store_host.h"
#include "ra/asn1/name.h"
#include "ra/cmp/body.h"
#include "ra/crypto/digest.h"

namespace ra::app {
namespace {

struct Options {
    std::string config;
    bool json = false;
};

std::string utc(WallTime at) {
    const std::time_t seconds = at.time_since_epoch().count();
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    std::array<char, 32> text{};
    const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
    return {text.data(), size};
}

/// What certificate was asked for: what a CA can be searched by.
struct Asked {
    std::string subject;
    std::string key;  // SHA-256 of the SubjectPublicKeyInfo
};

Asked asked_for(const store::Orphan& orphan) {
    Asked asked;
    const cmp::Limits limits;
    const auto message = cmp::parse_pki_message(orphan.request, limits);
    if (!message) return asked;
    if (cmp::is_cert_request(message->type)) {
        const auto requests = cmp::parse_cert_req_messages(message->content, 0, limits);
        if (!requests || requests->empty()) return asked;
        const cmp::CertTemplate& wanted = requests->front().cert_template;
        if (wanted.subject) asked.subject = asn1::name_text(*wanted.subject);
        if (wanted.public_key) asked.key = to_hex(crypto::sha256(wanted.public_key_der()));
    } else if (message->type == cmp::BodyType::p10cr) {
        const auto request = cmp::parse_certification_request(message->content, 0, limits);
        if (!request) return asked;
        asked.subject = asn1::name_text(request->subject);
        asked.key = to_hex(crypto::sha256(request->public_key.whole));
    }
    return asked;
}

void print_text(const std::vector<store::Orphan>& orphans) {
    for (const store::Orphan& orphan : orphans) {
        const Asked asked = asked_for(orphan);
        const auto line = [](std::string_view name, std::string_view value) {
            if (!value.empty()) std::cout << "   " << name << asn1::escaped(value) << '\n';
        };
        std::cout << orphan.id << "  " << utc(orphan.at) << "  "
                  << cmp::to_string(orphan.request_type) << " to " << asn1::escaped(orphan.upstream)
                  << ": " << asn1::escaped(orphan.why) << '\n';
        line("subject        ", asked.subject);
        line("key            ", asked.key);
        line("transactionID  ", to_hex(orphan.key.transaction_id));
        line("principal      ", to_hex(orphan.key.principal.digest));
        line("profile        ", orphan.profile);
        line("label          ", orphan.label);
    }
    std::cout << orphans.size() << (orphans.size() == 1 ? " certificate" : " certificates")
              << " may have been issued without a device having it\n";
}

void print_json(const std::vector<store::Orphan>& orphans) {
    boost::json::array all;
    for (const store::Orphan& orphan : orphans) {
        const Asked asked = asked_for(orphan);
        boost::json::object one;
        one["id"] = orphan.id;
        one["at"] = utc(orphan.at);
        one["why"] = orphan.why;
        one["request"] = cmp::to_string(orphan.request_type);
        one["upstream"] = orphan.upstream;
        one["transaction_id"] = to_hex(orphan.key.transaction_id);
        one["principal"] = to_hex(orphan.key.principal.digest);
        one["profile"] = orphan.profile;
        one["label"] = orphan.label;
        if (!asked.subject.empty()) one["subject"] = asked.subject;
        if (!asked.key.empty()) one["key_sha256"] = asked.key;
        if (!orphan.request.empty()) one["request_sha256"] = to_hex(crypto::sha256(orphan.request));
        all.push_back(std::move(one));
    }
    std::cout << boost::json::serialize(all) << '\n';
}

int orphans(const Options& options) {
    config::Faults faults{options.config};
    const config::Config config = config::read_config(options.config, faults);
    if (faults.has_errors()) {
        std::cerr << faults.text();
        return kFailed;
    }
    if (config.store.kind != config::StoreConfig::Kind::sqlite)
        throw std::runtime_error("[store] kind = \"memory\" keeps no ledger");
    const std::string path = store_path(config);
    std::vector<store::Orphan> found;
    // No store, no request yet.
    if (std::filesystem::exists(path)) found = store::read_orphans(path, load_store_key(config));
    if (options.json) {
        print_json(found);
    } else {
        print_text(found);
    }
    return 0;
}

}  // namespace

void add_orphans(CLI::App& audit, Run& run) {
    CLI::App* command = audit.add_subcommand(
        "orphans",
        "The ledger of certificates that may have been issued without a device having "
        "them; the gateway may be running");
    auto options = std::make_shared<Options>();
    command->add_option("-c,--config", options->config, "Configuration file (TOML)")->required();
    command->add_flag("--json", options->json, "One JSON array");
    command->callback([&run, options] { run = [options] { return orphans(*options); }; });
}

}  // namespace ra::app
