#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "ra/gateway/gateway.h"
#include "ra/gateway/secret_gate.h"
#include "ra/store/memory.h"
#include "ra/store/memory_inventory.h"
#include "ra/upstream/client.h"
#include "tests/ra/labca/lab.h"

/// A gateway that takes MACs, its secrets, and a CA that shares them; all in this thread.
namespace mac_test {

using namespace ra;
using namespace std::chrono_literals;
using cmp::BodyType;
using cmp::PKIFailureInfo;
using labca_test::Heard;

inline constexpr std::string_view kGenerated = "generated-secret-of-32-octets-00";
inline constexpr std::string_view kWeak = "1234";

struct NoTimers final : Timers {
    Id schedule(BootTime, std::function<void()>) override { return 1; }
    void cancel(Id) noexcept override {}
};

/// Runs at once, and counts.
struct CountingPool final : gateway::CpuPool {
    asio::awaitable<bool> run(std::function<void()> work) override {
        ++runs;
        work();
        co_return true;
    }
    unsigned runs = 0;
};

struct KeptAudit final : gateway::Audit {
    void record(const gateway::Ended& ended) override {
        rule = std::string(ended.rule);
        detail = ended.detail;
        verified = ended.verified;
    }
    std::string rule, detail;
    bool verified = false;
};

/// The CA of the world, or whatever a test wants of it.
struct Switch final : gateway::Upstream {
    explicit Switch(gateway::Upstream& to) : next{to} {}
    asio::awaitable<gateway::SubmitResult> submit(gateway::UpstreamMessage message) override {
        ++messages;
        last = to_bytes(message.der);
        if (instead) co_return instead(message);
        co_return co_await next.submit(std::move(message));
    }
    gateway::Upstream& next;
    std::function<gateway::SubmitResult(const gateway::UpstreamMessage&)> instead;
    unsigned messages = 0;
    Bytes last;
};

inline labca::Settings ca_settings() {
    labca::Settings made;
    for (const char* name : {"device-1", "device-2", "weak", "spare"}) {
        const std::string_view octets = std::string_view{name} == "weak" ? kWeak : kGenerated;
        made.secrets.emplace(name, Secret{to_bytes(as_bytes(octets))});
    }
    return made;
}

class World {
public:
    World() : World{ca_settings()} {}
    explicit World(labca::Settings of_ca)
        : ca{std::move(of_ca), clock, random},
          local{ca},
          upstream{local},
          store{clock, random},
          gate{store, clock, random, {}, [this](std::string_view event, ByteView) {
                   alarms.emplace_back(event);
               }} {
        reply = ca.issue_device_certificate("CN=RA");
        add("device-1", kGenerated, true, 1);
        add("device-2", kGenerated, true, 1);
        add("weak", kWeak, false, 1);
        profile = std::make_shared<policy::Profile>();
        profile->name = "bootstrap";
        profile->origin.mac = policy::OriginSettings::Mac::secrets;
        profile->rules.keys = {policy::KeyPattern::parse("ec:P-256")};
        profile->upstream = "ca";
        profile->ca_knows_secrets = true;
        settings = std::make_shared<gateway::Settings>();
        settings->profiles = {profile};
        gateway::UpstreamSettings up;
        up.name = "ca";
        up.responder.secret_holder = true;
        up.ca_pubs = {ca.certificate()};
        settings->upstreams.emplace("ca", std::move(up));
        settings->reply_credential = reply;
        const auto snapshot = std::make_shared<gateway::Snapshot>();
        snapshot->settings = settings;
        snapshot->upstreams["ca"] = {std::shared_ptr<void>{}, &upstream};  // the world's own
        gateway_.emplace(
            gateway::Services{store, inventory, audit, pool, clock, timers, random, chains, &gate},
            snapshot);
    }

    void add(std::string_view name, std::string_view octets, bool generated,
             std::optional<std::uint32_t> uses, std::optional<WallTime> expires = {},
             std::string for_profile = {}) {
        gateway::NewSecret secret;
        secret.reference = to_bytes(as_bytes(name));
        secret.octets = Secret{to_bytes(as_bytes(octets))};
        secret.generated = generated;
        secret.uses = uses;
        secret.expires = expires;
        secret.profile = std::move(for_profile);
        REQUIRE(test::run(store.add_secret(std::move(secret))) == gateway::Secrets::Added::added);
    }
    [[nodiscard]] gateway::KnownSecret known(std::string_view name) {
        return test::run(store.find_secret(as_bytes(name))).value();
    }
    [[nodiscard]] std::uint32_t left(std::string_view name) {
        return known(name).uses_left.value();
    }

    /// What the gateway says to these octets from there.
    [[nodiscard]] Bytes deliver(Bytes octets, std::string source = "192.0.2.7") {
        Arrival arrival;
        arrival.der = std::move(octets);
        arrival.peer.address = std::move(source);
        arrival.deadline = clock.boot_now() + 30s;
        random.fill(arrival.trace.octets);
        Reply reply_to = test::run(gateway_->exchange(std::move(arrival)));
        REQUIRE(std::holds_alternative<Answer>(reply_to));
        return std::move(std::get<Answer>(reply_to).der);
    }

    test::FakeClock clock;
    test::SeededRandom random{3};
    labca::LabCa ca;
    upstream::Local local;
    Switch upstream;
    store::Memory store;
    store::MemoryInventory inventory;
    std::vector<std::string> alarms;
    gateway::SecretGate gate;
    crypto::CredentialPtr reply;
    std::shared_ptr<policy::Profile> profile;
    std::shared_ptr<gateway::Settings> settings;
    KeptAudit audit;
    CountingPool pool;
    NoTimers timers;
    crypto::ChainVerifier chains{clock};

private:
    std::optional<gateway::Gateway> gateway_;
};

/// A device with a secret, in the middle of one transaction.
class Device {
public:
    Device(World& world, std::string reference, std::string_view secret = kGenerated)
        : world_{&world}, reference_{std::move(reference)}, secret_{secret} {
        sender = cmp::general_name(crypto::name_of("CN=" + reference_));
    }

    crypto::MacParameters mac{crypto::MacKind::passwordBasedMac, Bytes(16, 7), 500};
    Bytes sender;  // GeneralName TLV; empty: NULL-DN
    bool name_kid = true;
    bool implicit_confirm = false;
    std::string source = "192.0.2.7";
    Bytes transaction_id, recip_nonce;
    crypto::PrivateKeyPtr key = labca_test::new_key();

    [[nodiscard]] Bytes ir() const { return of(BodyType::ir); }
    [[nodiscard]] Bytes of(BodyType type) const {
        return labca_test::request(type, *key, "CN=" + reference_);
    }

    Heard begin(ByteView body) {
        transaction_id = world_->random.octets(16);
        recip_nonce.clear();
        return next(body);
    }
    Heard next(ByteView body) { return hear(build(body)); }
    Heard hear(Bytes octets) {
        Heard heard{world_->deliver(std::move(octets), source)};
        recip_nonce = to_bytes(heard.message->header.sender_nonce.value_or(ByteView{}));
        return heard;
    }
    [[nodiscard]] Bytes build(ByteView body) const {
        cmp::HeaderFields fields;
        const Bytes algorithm = crypto::build_mac_algorithm(mac);
        const Bytes nonce = world_->random.octets(16);
        fields.sender = sender;
        fields.protection_alg = algorithm;
        if (name_kid) fields.sender_kid = as_bytes(reference_);
        fields.message_time = world_->clock.wall_now();
        fields.transaction_id = transaction_id;
        fields.sender_nonce = nonce;
        fields.recip_nonce = recip_nonce;
        fields.implicit_confirm = implicit_confirm;
        const auto derived = crypto::MacKey::derive(mac, as_bytes(secret_)).value();
        return crypto::protect_with_mac(derived, cmp::build_header(fields), body, {}).value();
    }
    /// Is it protected by the device's own secret?
    [[nodiscard]] bool verifies(const Heard& heard) const {
        const cmp::PKIMessage& message = heard.message.message();
        if (crypto::protection_kind(message) != crypto::ProtectionKind::mac) return false;
        const auto parameters =
            crypto::parse_mac_parameters(*message.header.protection_alg, {}).value();
        const auto derived = crypto::MacKey::derive(parameters, as_bytes(secret_)).value();
        return crypto::verify_mac_protection(message, derived).has_value();
    }
    /// ir, certConf; true: both granted.
    [[nodiscard]] bool enrols() {
        const Heard ip = begin(ir());
        if (ip.type() != BodyType::ip || ip.cert().certificate.empty() || !verifies(ip))
            return false;
        const Heard conf = next(labca_test::confirm(ip.certificate()));
        return conf.type() == BodyType::pkiconf && verifies(conf);
    }

private:
    World* world_;
    std::string reference_, secret_;
};

}  // namespace mac_test
