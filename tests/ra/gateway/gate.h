#pragma once

#include <memory>
#include <optional>
#include <string>

#include "ra/gateway/gateway.h"
#include "ra/store/memory.h"
#include "ra/store/memory_inventory.h"
#include "ra/upstream/client.h"
#include "tests/ra/labca/lab.h"

/// A gateway before a lab CA, and devices that come to it, all in this process.
namespace gateway_test {

using namespace ra;
using cmp::BodyType;
using cmp::PKIFailureInfo;
using labca_test::Heard;
using labca_test::new_key;
using labca_test::request;

/// Where a message comes in and from.
struct Way {
    std::string label;
    Operation operation = Operation::unspecified;
    std::string peer = "192.0.2.1";
};

struct Audit final : gateway::Audit {
    void record(const gateway::Ended& ended) override {
        decision = ended.decision;
        rule = ended.rule;
        detail = ended.detail;
        possibly_issued = ended.possibly_issued;
    }
    std::string decision, rule, detail;  // of the last message
    bool possibly_issued = false;
};

/// Nobody waits in these tests.
struct NoTimers final : Timers {
    Id schedule(BootTime, std::function<void()>) override { return ++last; }
    void cancel(Id) noexcept override {}
    Id last = 0;
};

struct InlinePool final : gateway::CpuPool {
    asio::awaitable<bool> run(std::function<void()> work) override {
        work();
        co_return true;
    }
};

class Gate {
public:
    explicit Gate(store::MemorySettings bounds = {}) : store{clock, random, bounds}, local_{ca} {
        profile.name = "devices";
        profile.origin.trust = crypto::TrustStore::of({ca.certificate()});
        profile.rules.keys = {policy::KeyPattern::parse("ec:P-256")};
        profile.upstream = "ca";
        use_inventory(inventory);
    }

    /// A gateway that sees this inventory.
    void use_inventory(gateway::Inventory& seen) {
        gateway_.emplace(
            gateway::Services{store, seen, audit, pool_, clock, timers_, random, chains},
            snapshot(std::make_shared<gateway::Settings>()));
        use();
    }

    /// The profile, as it is now, decides from now on.
    void use() {
        auto settings = std::make_shared<gateway::Settings>();
        settings->profiles = {std::make_shared<const policy::Profile>(profile)};
        gateway::UpstreamSettings upstream;
        upstream.name = "ca";
        upstream.responder.trust = crypto::TrustStore::of({ca.certificate()});
        upstream.responder.pinned = {ca.responder()};
        settings->upstreams.emplace("ca", std::move(upstream));
        settings->generation = ++generation_;
        // Nothing stays of what was: the profile of now is what the tests are about.
        gateway_->use(snapshot(std::move(settings)), clock.boot_now());
        gateway_->expire(clock.boot_now() + std::chrono::seconds{1});
    }

    Heard deliver(Bytes octets, const Way& way = {}) {
        Arrival arrival;
        arrival.der = std::move(octets);
        arrival.label = way.label;
        arrival.advised = way.operation;
        arrival.peer.address = way.peer;
        arrival.deadline = clock.boot_now() + std::chrono::seconds{30};
        return Heard{std::get<Answer>(test::run(gateway_->exchange(std::move(arrival)))).der};
    }

    test::FakeClock clock;
    test::SeededRandom random{3};
    labca::LabCa ca{{}, clock, random};
    store::Memory store;
    store::MemoryInventory inventory;
    crypto::ChainVerifier chains{clock};
    Audit audit;
    policy::Profile profile;

private:
    gateway::SnapshotPtr snapshot(gateway::SettingsPtr settings) {
        auto made = std::make_shared<gateway::Snapshot>();
        made->settings = std::move(settings);
        made->upstreams["ca"] = {std::shared_ptr<void>{}, &local_};  // the gate's own
        return made;
    }

    std::uint64_t generation_ = 1;
    InlinePool pool_;
    NoTimers timers_;
    upstream::Local local_;
    std::optional<gateway::Gateway> gateway_;
};

/// A device in the middle of one transaction.
class Device {
public:
    Device(Gate& gate, crypto::CredentialPtr credential) : gate_{gate} {
        envelope.credential = std::move(credential);
    }
    Device(Gate& gate, std::string_view subject)
        : Device{gate, gate.ca.issue_device_certificate(subject)} {}

    /// Begins a transaction with this body TLV.
    Heard begin(ByteView body) {
        envelope.transaction_id = gate_.random.octets(16);
        envelope.recip_nonce.clear();
        return next(body);
    }
    /// The next message of it.
    Heard next(ByteView body) {
        envelope.sender_nonce = gate_.random.octets(16);
        if (envelope.time) envelope.time = gate_.clock.wall_now();
        last = test::build_message(envelope, body);
        Heard heard = gate_.deliver(last, way);
        envelope.recip_nonce = to_bytes(heard.message->header.sender_nonce.value_or(ByteView{}));
        return heard;
    }
    /// An enrolment for this key, confirmed; the credential it yields, null where refused.
    crypto::CredentialPtr enrol(BodyType type, const crypto::PrivateKeyPtr& key,
                                std::string_view subject) {
        const Heard heard = begin(request(type, *key, subject));
        if (heard.type() == BodyType::error || heard.cert().certificate.empty()) return nullptr;
        auto made = std::make_shared<crypto::Credential>();
        made->key = key;
        made->certificate = crypto::Certificate::parse(heard.certificate()).value();
        made->chain = {made->certificate};
        CHECK(next(labca_test::confirm(heard.certificate())).type() == BodyType::pkiconf);
        return made;
    }

    test::Envelope envelope;
    Way way;
    Bytes last;  // message sent

private:
    Gate& gate_;
};

}  // namespace gateway_test
