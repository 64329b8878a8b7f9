#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "ra/app/config/keys.h"
#include "ra/app/config/toml_document.h"
#include "ra/app/demo_files.h"
#include "ra/crypto/files.h"

using namespace ra;
using namespace ra::app;
using namespace ra::app::config;

namespace {

const std::filesystem::path kConf = std::filesystem::path(CMPGATE_SOURCE_DIR) / "conf";

std::string text_of(const std::filesystem::path& path) {
    std::ifstream file{path};
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

void write(const std::filesystem::path& path, const std::string& content) {
    std::ofstream{path} << content;
    ::chmod(path.c_str(), 0600);
}

/// The files that conf/ names, made: one CA is enough for all of them.
class World {
public:
    World() : ca_{labca::Settings{}} {
        const std::string root = ca_.ca.certificate_pem();
        for (const char* name : {"ca-root.pem", "idevid-roots.pem", "line4-roots.pem",
                                 "ra-root.pem", "tls-clients.pem", "tls-ca-root.pem"}) {
            write(directory_.path() / name, root);
        }
        const auto crl = ca_.ca.crl();
        REQUIRE(crl.has_value());
        for (const char* name :
             {"ca.crl", "idevid.crl", "ra-root.crl", "tls-clients.crl", "tls-ca.crl"}) {
            write(directory_.path() / name, crypto::pem_text("X509 CRL", *crl));
        }
        const auto credential = ca_.ca.issue_device_certificate("CN=ra");
        const std::string certificate =
            crypto::pem_text("CERTIFICATE", credential->certificate->der());
        for (const char* name : {"ra.pem", "tls.pem", "tls-other.pem"})
            write(directory_.path() / name, certificate);
        for (const char* name : {"tls.key", "tls-other.key", "tls-key"})
            write(directory_.path() / name, credential->key->pem());
        write(directory_.path() / "tls-passphrase", "not needed\n");
        write(directory_.path() / "tls.ocsp", "no response: a warning");
        write(directory_.path() / "cmp-signer.pem", certificate);
        write(directory_.path() / "ra.key", credential->key->pem());
        write(directory_.path() / "ra-key", credential->key->pem());
        write(directory_.path() / "ra-passphrase", "not needed\n");
        write(directory_.path() / "press-17.secret", "0123456789abcdef0123456789abcdef\n");
        write(directory_.path() / "audit-key", std::string(64, 'k') + "\n");
        for (const char* spool : {"spool", "spool/line3", "spool/ca"})
            std::filesystem::create_directory(directory_.path() / spool);
        ::setenv("CREDENTIALS_DIRECTORY", directory_.path().c_str(), 1);
    }
    ~World() { ::unsetenv("CREDENTIALS_DIRECTORY"); }

    [[nodiscard]] std::filesystem::path path() const { return directory_.path(); }

    gateway::SettingsPtr load(const std::string& text, Faults& faults) {
        const Config config = parse_config(text, (path() / "cmpgate.toml").string(), faults);
        if (faults.has_errors()) return nullptr;
        return load_with_lab_ca(config, faults, lab_ca_);
    }

private:
    LabCaHost ca_;
    std::unique_ptr<LabCaHost> lab_ca_;
    TemporaryDirectory directory_;
};

/// Where each section stands in a document.
const Node* section(const Node& document, Section which) {
    const auto in = [](const Node* node, std::string_view key) -> const Node* {
        if (node == nullptr) return nullptr;
        const Node* found = node->find(key);
        return found != nullptr && found->kind == Node::Kind::array && !found->items.empty()
                   ? &found->items.front()
                   : found;
    };
    const Node* profile = in(&document, "profile");
    switch (which) {
        case Section::root:
            return &document;
        case Section::listener:
            return in(&document, "listener");
        case Section::listener_tls:
            return in(in(&document, "listener"), "tls");
        case Section::listener_sni:
            return in(in(in(&document, "listener"), "tls"), "sni");
        case Section::upstream_tls:
            return in(in(&document, "upstream"), "tls");
        case Section::upstream:
            return in(&document, "upstream");
        case Section::responder:
            return in(in(&document, "upstream"), "responder");
        case Section::breaker:
            return in(in(&document, "upstream"), "breaker");
        case Section::credential:
            return in(&document, "credential");
        case Section::renew:
            return in(in(&document, "credential"), "renew");
        case Section::secret:
            return in(&document, "secret");
        case Section::profile:
            return profile;
        case Section::match:
            return in(profile, "match");
        case Section::origin:
            return in(profile, "origin");
        case Section::signature:
            return in(in(profile, "origin"), "signature");
        case Section::ra:
            return in(profile, "ra");
        case Section::rules:
            return in(profile, "rules");
        case Section::treatment:
            return in(profile, "treatment");
        case Section::amend:
            return in(profile, "amend");
        case Section::store:
            return in(&document, "store");
        case Section::limits:
            return in(&document, "limits");
        case Section::log:
            return in(&document, "log");
        case Section::admin:
            return in(&document, "admin");
        case Section::audit:
            return in(&document, "audit");
    }
    return nullptr;
}

}  // namespace

TEST_SUITE("ra/app") {
    TEST_CASE("conf/cmpgate.toml documents every key there is") {
        const std::string text = text_of(kConf / "cmpgate.toml");
        const Node document = parse_toml(text, "cmpgate.toml");
        for (const SectionKeys& keys : all_keys()) {
            CAPTURE(keys.name);
            const Node* node = section(document, keys.section);
            REQUIRE(node != nullptr);
            for (const std::string_view key : keys.keys) {
                CAPTURE(key);
                // One of several ways to say it: the others stand in a comment.
                const bool has_others = keys.section == Section::responder ||
                                        keys.section == Section::credential || key == "psk";
                const bool described = has_others && text.find(key) != std::string::npos;
                // Keys of some schemes only stand in a listener or an upstream of theirs.
                const Node* const all =
                    keys.section == Section::listener   ? document.find("listener")
                    : keys.section == Section::upstream ? document.find("upstream")
                                                        : nullptr;
                const bool elsewhere =
                    all != nullptr &&
                    std::any_of(all->items.begin(), all->items.end(),
                                [&](const Node& one) { return one.find(key) != nullptr; });
                CHECK((node->find(key) != nullptr || described || elsewhere));
            }
        }
    }

    TEST_CASE("every file in conf/ loads") {
        World world;
        std::vector<std::filesystem::path> files{kConf / "cmpgate.toml"};
        for (const auto& entry : std::filesystem::directory_iterator(kConf / "examples"))
            if (entry.path().extension() == ".toml") files.push_back(entry.path());
        CHECK(files.size() >= 6);
        for (const std::filesystem::path& file : files) {
            CAPTURE(file.filename().string());
            Faults faults{file.filename().string()};
            const auto settings = world.load(text_of(file), faults);
            INFO(faults.text());
            CHECK(settings != nullptr);
            const Config config = parse_config(text_of(file), file.string(), faults);
            Config there = config;
            there.directory = world.path().string();
            CHECK(load_secrets(there, WallTime{}, faults).size() == config.secrets.size());
        }
    }

    TEST_CASE("conf/cmpgate.toml says the defaults it names") {
        // Each "default" in the file is what the parser does: reading the file without a section's
        // numbers gives the same.
        World world;
        Faults faults{"x"};
        const Config said = parse_config(text_of(kConf / "cmpgate.toml"), "x", faults);
        const Config config;
        CHECK(said.workers == config.workers);
        CHECK(said.drain_timeout == config.drain_timeout);
        CHECK(said.hop == config.hop);
        const ListenerConfig listener;
        CHECK(said.listeners[0].max_connections == listener.max_connections);
        CHECK(said.listeners[0].receive_timeout == listener.receive_timeout);
        CHECK(said.listeners[0].idle_timeout == listener.idle_timeout);
        CHECK(said.listeners[0].send_timeout == listener.send_timeout);
        CHECK(said.listeners[0].exchange_timeout == listener.exchange_timeout);
        const UpstreamConfig upstream;
        CHECK(said.upstreams[0].max_check_after == upstream.max_check_after);
        CHECK(said.upstreams[0].max_connections == upstream.max_connections);
        CHECK(said.upstreams[0].max_waiting == upstream.max_waiting);
        CHECK(said.upstreams[0].connect_timeout == upstream.connect_timeout);
        CHECK(said.upstreams[0].idle_timeout == upstream.idle_timeout);
        CHECK(said.upstreams[0].quirks == upstream.quirks);
        CHECK(said.upstreams[0].shared_state == upstream.shared_state);
        CHECK(said.upstreams[0].max_in_flight == upstream.max_in_flight);
        CHECK(said.upstreams[0].breaker == upstream.breaker);
        REQUIRE(said.credentials[0].renew.has_value());
        CHECK(said.credentials[0].renew->timeout == RenewConfig{}.timeout);
        CHECK(said.credentials[0].renew->same_key == RenewConfig{}.same_key);
        CHECK(said.store.kind == config.store.kind);
        CHECK(said.store.open == config.store.open);
        CHECK(said.store.open_per_principal == config.store.open_per_principal);
        CHECK(said.store.open_octets == config.store.open_octets);
        CHECK(said.store.remembered == config.store.remembered);
        CHECK(said.store.remembered_per_principal == config.store.remembered_per_principal);
        CHECK(said.store.kept_octets == config.store.kept_octets);
        CHECK(said.store.opaque_percent == 50U);
        CHECK(said.store.certified_keys == config.store.certified_keys);
        CHECK(said.store.revoked == config.store.revoked);
        CHECK(said.limits.message.message_octets == config.limits.message.message_octets);
        CHECK(said.limits.message.depth == config.limits.message.depth);
        CHECK(said.limits.message.extra_certs == config.limits.message.extra_certs);
        CHECK(said.limits.exchanges == config.limits.exchanges);
        CHECK(said.limits.signed_refusals == config.limits.signed_refusals);
        CHECK(said.limits.open_time == config.limits.open_time);
        CHECK(said.limits.poll_time == config.limits.poll_time);
        CHECK(said.limits.replay_horizon == config.limits.replay_horizon);
    }

    TEST_CASE("loading: files that are not what they are named for, at their place") {
        World world;
        write(world.path() / "empty.pem", "");
        write(world.path() / "text.pem", "no certificate\n");
        write(world.path() / "open.key", text_of(world.path() / "ra.key"));
        ::chmod((world.path() / "open.key").c_str(), 0644);
        write(world.path() / "other.key", crypto::PrivateKey::generate("ec:P-256")->pem());
        const std::string head =
            "version = 1\n[[listener]]\nurl = \"http://127.0.0.1:0\"\n[[upstream]]\nurl = "
            "\"http://127.0.0.1:9/\"\n";
        const std::string profile =
            "[[profile]]\norigin.signature.trust = \"file:idevid-roots.pem\"\n";
        const std::string credential =
            "trust = \"file:ca-root.pem\"\n[[credential]]\ncertificate = \"file:ra.pem\"\nkey = ";
        struct Row {
            const char* name;
            std::string text;
            Place at;
            const char* says;
        };
        const Row rows[] = {
            {"file not there",
             head + "trust = \"file:nix.pem\"\n" + profile,
             {6, 9},
             "No such file"},
            {"empty file (S-10)",
             head + "trust = \"file:empty.pem\"\n" + profile,
             {6, 9},
             "empty.pem"},
            {"no certificate in it (S-10)",
             head + "trust = \"file:text.pem\"\n" + profile,
             {6, 9},
             "text.pem"},
            {"variable not set",
             head + "trust = \"env:CMPGATE_TEST_UNSET\"\n" + profile,
             {6, 9},
             "CMPGATE_TEST_UNSET"},
            {"pinned responder is a key",
             head + "responder.certificate = \"file:ra.key\"\n" + profile,
             {6, 25},
             "ra.key"},
            {"S-24: key others may read",
             head + credential + "\"file:open.key\"\n" + profile,
             {9, 7},
             "chmod 0600"},
            {"key of another certificate",
             head + credential + "\"file:other.key\"\n" + profile,
             {9, 7},
             ""},
        };
        for (const Row& row : rows) {
            CAPTURE(row.name);
            Faults faults{"t.toml"};
            CHECK(world.load(row.text, faults) == nullptr);
            bool found = false;
            for (const Fault& fault : faults.sorted()) {
                found =
                    found || (fault.at == row.at && fault.text.find(row.says) != std::string::npos);
            }
            INFO(faults.text());
            CHECK(found);
        }
        Faults faults{"t.toml"};
        CHECK(world.load(head + credential + "\"file:ra.key\"\n" + profile, faults) != nullptr);
        ::setenv("CMPGATE_TEST_ROOT", text_of(world.path() / "ca-root.pem").c_str(), 1);
        const auto by_variable =
            world.load(head + "trust = \"env:CMPGATE_TEST_ROOT\"\n" + profile, faults);
        ::unsetenv("CMPGATE_TEST_ROOT");
        INFO(faults.text());
        REQUIRE(by_variable != nullptr);
        CHECK(by_variable->upstreams.at("upstream-1").responder.trust->anchors().size() == 1);
        CHECK(by_variable->profiles.front()->upstream == "upstream-1");
        CHECK(by_variable->profiles.front()->rules.issuers.size() == 1);
    }
}
