#include <doctest/doctest.h>

#include "ra/crypto/digest.h"
#include "tests/sim/device.h"

using namespace test::sim;
using namespace ra;

namespace {

constexpr unsigned kForged = 10'000;

/// The same in every field an attacker could want to change.
bool identical(const gateway::Record& a, const gateway::Record& b) {
    return a.state == b.state && a.request_digest == b.request_digest && a.answer == b.answer &&
           a.request == b.request && a.ee_nonce == b.ee_nonce && a.ca_nonce == b.ca_nonce &&
           a.expires == b.expires && a.remember_until == b.remember_until && a.signer == b.signer &&
           a.responder == b.responder && a.profile == b.profile;
}

/// A victim between ip and certConf, 10,000 forged messages with its transactionID, then its
/// certConf.
class Victim {
public:
    Victim(World& world, Way way) : world_{world}, way_{way} {
        envelope_ = Device::envelope(0, way);
        envelope_.transaction_id = world.kernel.random().octets(16);
    }

    boost::asio::awaitable<void> live() {
        co_await ask(test::Pki::get().devices[0].request, cmp::BodyType::ip);
        const gateway::Versioned before = (co_await claims()).at(0);
        for (unsigned i = 0; i < kForged; ++i) {
            const Reply reply =
                co_await world_.call(forged(i), way_, envelope_.transaction_id, false);
            const auto* answer = std::get_if<Answer>(&reply);
            if (answer != nullptr && world_.ca.said(answer->der, way_)) ++believed;
        }
        const gateway::Versioned after = (co_await claims()).at(0);
        unchanged = before.version == after.version && identical(before.record, after.record);
        const Bytes hash = crypto::cert_hash(test::Pki::get().devices[0].issued, {}).value();
        co_await ask(cmp::build_cert_conf_body(hash, 0), cmp::BodyType::pkiconf);
        completed = true;
    }

    unsigned believed = 0;
    bool unchanged = false, completed = false;

private:
    boost::asio::awaitable<std::vector<gateway::Versioned>> claims() {
        co_return co_await world_.store().find_claims(envelope_.transaction_id);
    }

    boost::asio::awaitable<void> ask(Bytes body, cmp::BodyType want) {
        envelope_.sender_nonce = world_.kernel.random().octets(16);
        envelope_.recip_nonce = ca_nonce_;
        envelope_.time = world_.kernel.wall_now();
        last_ = test::build_message(envelope_, body);
        world_.ca.expect(last_, way_);
        const Reply reply = co_await world_.call(last_, way_, envelope_.transaction_id, true);
        const cmp::Limits limits;
        const auto answer = cmp::parse_pki_message(std::get<Answer>(reply).der, limits).value();
        REQUIRE(answer.type == want);
        ca_nonce_ = to_bytes(*answer.header.sender_nonce);
    }

    Bytes forged(unsigned number) {
        test::SeededRandom& random = world_.kernel.random();
        if (is_signed(way_) && number % 2 == 0) {
            Bytes copy = last_;
            copy[random.below(copy.size())] ^= static_cast<std::uint8_t>(1 + random.below(255));
            return copy;
        }
        test::Envelope envelope = envelope_;
        if (is_signed(way_))
            envelope.credential = test::Pki::get().devices[1 + number % 3].credential;
        envelope.sender_nonce = random.octets(16);
        envelope.recip_nonce = is_signed(way_) ? ca_nonce_ : random.octets(16);
        envelope.time = world_.kernel.wall_now();
        const Bytes hash = random.octets(32);
        return test::build_message(envelope, number % 4 == 1 ? cmp::build_cert_conf_body(hash, 0)
                                                             : cmp::build_poll_req_body(0));
    }

    World& world_;
    Way way_;
    test::Envelope envelope_;
    Bytes ca_nonce_, last_;
};

TEST_SUITE("sim") {
    TEST_CASE("S-01: 10,000 forged messages with a live transactionID change nothing") {
        for (const Way way : {Way::bare, Way::opaque, Way::nested, Way::reprotected}) {
            CAPTURE(static_cast<int>(way));
            World world{1, false};
            world.faults = Faults::none();
            Victim victim{world, way};
            world.kernel.spawn(victim.live());
            world.run();
            CHECK(victim.believed == 0);
            CHECK(victim.unchanged);
            CHECK(victim.completed);
            CHECK(world.ca.issued() == 1);
            CHECK(world.ca.confirmed() == 1);
        }
    }
}

}  // namespace
