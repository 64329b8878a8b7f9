#include <doctest/doctest.h>

#include <optional>

#include "ra/gateway/gateway.h"
#include "ra/store/memory.h"
#include "ra/store/memory_inventory.h"
#include "tests/support/fake_clock.h"
#include "tests/support/messages.h"
#include "tests/support/pki.h"
#include "tests/support/run.h"
#include "tests/support/seeded_random.h"

using namespace ra;
using namespace std::chrono_literals;
using test::Pki;

namespace {

constexpr unsigned kBudget = 20;  // signed refusals a second

struct NoTimers final : Timers {
    Id schedule(BootTime, std::function<void()>) override { return 1; }
    void cancel(Id) noexcept override {}
};
struct Inline final : gateway::CpuPool {
    asio::awaitable<bool> run(std::function<void()> work) override {
        work();
        co_return true;
    }
};
struct NoAudit final : gateway::Audit {
    void record(const gateway::Ended& ended) override { rule = std::string(ended.rule); }
    std::string rule;  // of the last message
};

/// A gateway that trusts the devices of Pki and has no CA to send to.
class Subject {
public:
    Subject() {
        auto settings = std::make_shared<gateway::Settings>();
        auto profile = std::make_shared<policy::Profile>();
        profile->name = "devices";
        profile->origin.trust = Pki::get().trust;
        profile->rules.keys = {policy::KeyPattern::parse("ec:P-384")};  // not what they ask for
        profile->upstream = "ca";
        settings->profiles = {profile};
        settings->upstreams.emplace("ca", gateway::UpstreamSettings{});
        settings->reply_credential = Pki::get().gateway;
        settings->signed_refusals_per_second = kBudget;
        auto snapshot = std::make_shared<gateway::Snapshot>();
        snapshot->settings = std::move(settings);
        gateway_.emplace(
            gateway::Services{store_, inventory_, audit, cpu_, clock, timers_, random_, chains_},
            std::move(snapshot));
    }

    /// Whether the answer to an ir by this credential (null: nobody's) is signed.
    bool is_answer_signed(crypto::CredentialPtr by) {
        test::Envelope envelope;
        envelope.credential = std::move(by);
        envelope.time = clock.wall_now();
        envelope.transaction_id = random_.octets(16);
        envelope.sender_nonce = random_.octets(16);
        Arrival arrival;
        arrival.der = test::build_message(envelope, Pki::get().devices[0].request);
        return is_signed(std::move(arrival.der));
    }
    bool is_signed(Bytes der) {
        Arrival arrival;
        arrival.der = std::move(der);
        arrival.deadline = clock.boot_now() + 30s;
        const Reply reply = test::run(gateway_->exchange(std::move(arrival)));
        const Bytes& answer = std::holds_alternative<Answer>(reply) ? std::get<Answer>(reply).der
                                                                    : std::get<NotCmp>(reply).der;
        const auto parsed = cmp::parse_pki_message(answer, {});
        REQUIRE(parsed.has_value());
        CHECK(parsed->type == (audit.rule == "key" ? cmp::BodyType::ip : cmp::BodyType::error));
        return parsed->protection.has_value();
    }

    test::FakeClock clock{Pki::kNow};
    NoAudit audit;

private:
    test::SeededRandom random_{31};
    store::Memory store_{clock, random_};
    store::MemoryInventory inventory_;
    Inline cpu_;
    NoTimers timers_;
    crypto::ChainVerifier chains_{clock};
    std::optional<gateway::Gateway> gateway_;
};

}  // namespace

TEST_SUITE("ra/gateway") {
    TEST_CASE("S-31: signed answers to peers nobody knows have a budget, then go unprotected") {
        Subject subject;
        const auto flood = [&subject](const crypto::CredentialPtr& by, unsigned count) {
            unsigned is_signed = 0;
            for (unsigned i = 0; i < count; ++i) is_signed += subject.is_answer_signed(by) ? 1 : 0;
            return is_signed;
        };
        CHECK(flood(nullptr, 3 * kBudget) == kBudget);
        CHECK(subject.audit.rule == "unprotected");
        CHECK(flood(Pki::get().stranger, 10) == 0);  // one budget, whatever was wrong
        CHECK(subject.audit.rule == "chain");
        CHECK_FALSE(subject.is_signed(Bytes{0x30, 0x03, 0x02, 0x01, 0x00}));
        CHECK(subject.audit.rule == "parse");

        // Whose signature has verified gets a signed answer all the same.
        CHECK(flood(Pki::get().devices[0].credential, 2 * kBudget) == 2 * kBudget);
        CHECK(subject.audit.rule == "key");

        subject.clock.pass(500ms);
        CHECK(flood(nullptr, kBudget) == kBudget / 2);
        subject.clock.pass(1h);  // it does not add up
        CHECK(flood(nullptr, 3 * kBudget) == kBudget);
        subject.clock.step_wall(-24h);
        subject.clock.pass(100ms);
        CHECK(flood(nullptr, kBudget) == kBudget / 10);  // nor does a wall clock refill it
    }
}
