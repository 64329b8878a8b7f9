#include <doctest/doctest.h>

#include "ra/crypto/digest.h"
#include "tests/sim/device.h"

using namespace test::sim;
using namespace ra;
using namespace std::chrono_literals;

namespace {

constexpr Way kWay = Way::bare;
using Change = std::function<void(gateway::Settings&)>;

/// A device between ip and certConf while the configuration changes.
class Enrolment {
public:
    Enrolment(World& world, Change change, Span grace)
        : world_{world}, change_{std::move(change)}, grace_{grace} {
        envelope_ = Device::envelope(0, kWay);
        envelope_.transaction_id = world.kernel.random().octets(16);
    }

    boost::asio::awaitable<void> live() {
        co_await ask(test::Pki::get().devices[0].request);
        REQUIRE(answered == cmp::BodyType::ip);
        world_.reload(change_, grace_);
        co_await world_.kernel.sleep(1s);
        const Bytes hash = crypto::cert_hash(test::Pki::get().devices[0].issued, {}).value();
        co_await ask(cmp::build_cert_conf_body(hash, 0));
    }

    cmp::BodyType answered{};
    bool by_ca = false;

private:
    boost::asio::awaitable<void> ask(Bytes body) {
        envelope_.sender_nonce = world_.kernel.random().octets(16);
        envelope_.recip_nonce = ca_nonce_;
        envelope_.time = world_.kernel.wall_now();
        const Bytes octets = test::build_message(envelope_, body);
        world_.ca.expect(octets, kWay);
        const Reply reply = co_await world_.call(octets, kWay, envelope_.transaction_id, true);
        const Bytes& der = std::get<Answer>(reply).der;
        const cmp::Limits limits;
        const auto answer = cmp::parse_pki_message(der, limits).value();
        answered = answer.type;
        by_ca = world_.ca.said(der, kWay);
        ca_nonce_ = to_bytes(*answer.header.sender_nonce);
    }

    World& world_;
    Change change_;
    Span grace_;
    test::Envelope envelope_;
    Bytes ca_nonce_;
};

policy::Profile& changed(gateway::Settings& settings, std::size_t index) {
    auto copy = std::make_shared<policy::Profile>(*settings.profiles[index]);
    policy::Profile& profile = *copy;
    settings.profiles[index] = std::move(copy);
    return profile;
}

/// Another root, as if the file that is named held that one now.
crypto::TrustStorePtr other_trust() {
    return crypto::TrustStore::of({test::Pki::get().stranger->certificate});
}

constexpr std::size_t kSignedProfile = 0;

/// No profile trusts the devices' root any more.
void distrust(gateway::Settings& settings) {
    for (std::size_t i = 0; i < settings.profiles.size(); ++i) {
        if (settings.profiles[i]->origin.trust != nullptr)
            changed(settings, i).origin.trust = other_trust();
    }
}

}  // namespace

TEST_SUITE("sim") {
    TEST_CASE("S-06: an open transaction keeps what it pinned, but never a trust that is gone") {
        struct Row {
            const char* name;
            Change change;
            Span grace;
            bool completes;
        };
        // Each configuration after the first has the profiles under other names (World::settings).
        const Row rows[] = {
            {"profile renamed", [](auto&) {}, 1h, true},
            {"profile removed, its anchors trusted by another",
             [](auto& s) {
                 s.profiles[1] = s.profiles[0], changed(s, 1).match.labels = {"x"};
                 s.profiles.erase(s.profiles.begin());
             },
             1h, true},
            {"profile of that name with other rules",
             [](auto& s) {
                 policy::Profile& p = changed(s, kSignedProfile);
                 p.name = "signed", p.rules.keys.clear(), p.match.labels = {"x"};
             },
             1h, true},
            {"upstream removed", [](auto& s) { s.upstreams.clear(); }, 1h, true},
            {"anchor removed, profile renamed", [](auto& s) { distrust(s); }, 1h, false},
            {"anchor removed from the profile of that name, still trusted by another",
             [](auto& s) {
                 s.profiles.push_back(s.profiles[kSignedProfile]);
                 policy::Profile& p = changed(s, kSignedProfile);
                 p.name = "signed", p.origin.trust = other_trust();
             },
             1h, false},
            {"profile removed, and its anchor with it",
             [](auto& s) { distrust(s), s.profiles.erase(s.profiles.begin()); }, 1h, false},
            {"who answers for the CA is trusted no more",
             [](auto& s) { s.upstreams.at("ca").responder.trust = other_trust(); }, 1h, false},
            {"grace over: the profile that matches now takes it", [](auto&) {}, 0s, true},
            {"grace over, upstream removed", [](auto& s) { s.upstreams.clear(); }, 0s, false},
        };
        for (const Row& row : rows) {
            CAPTURE(row.name);
            World world{7, false};
            world.faults = Faults::none();
            Enrolment enrolment{world, row.change, row.grace};
            world.kernel.spawn(enrolment.live());
            world.run();
            CHECK((enrolment.answered == cmp::BodyType::pkiconf) == row.completes);
            CHECK(enrolment.by_ca == row.completes);
        }
    }

    TEST_CASE("S-06: superseded configurations are kept for their time and no longer") {
        const auto made = [](std::uint64_t generation) {
            auto settings = std::make_shared<gateway::Settings>();
            settings->generation = generation;
            auto snapshot = std::make_shared<gateway::Snapshot>();
            snapshot->settings = settings;
            return snapshot;
        };
        const BootTime begin{1h};
        gateway::Snapshots snapshots{made(1)};
        snapshots.use(made(2), begin, begin + 10s);
        snapshots.use(made(3), begin + 5s, begin + 15s);
        CHECK(snapshots.current()->settings->generation == 3);
        CHECK(snapshots.of(1)->settings->generation == 1);
        CHECK(snapshots.of(2)->settings->generation == 2);
        CHECK(snapshots.of(0)->settings->generation == 3);
        const std::weak_ptr<const gateway::Snapshot> first = snapshots.of(1);
        snapshots.expire(begin + 10s);
        CHECK(first.expired());  // its keys are gone, not only out of reach
        CHECK(snapshots.of(1)->settings->generation == 3);
        CHECK(snapshots.of(2)->settings->generation == 2);
        for (std::uint64_t i = 4; i < 4 + 2 * gateway::Snapshots::kMost; ++i)
            snapshots.use(made(i), begin, begin + 1h);
        CHECK(snapshots.superseded() == gateway::Snapshots::kMost);
    }
}
