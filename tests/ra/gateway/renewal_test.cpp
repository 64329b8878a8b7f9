#include "ra/gateway/renewal.h"

#include <doctest/doctest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include "ra/labca/lab_ca.h"
#include "ra/upstream/client.h"
#include "tests/support/fake_clock.h"
#include "tests/support/seeded_random.h"

using namespace ra;
using namespace std::chrono_literals;

namespace {

/// Time passes at once: whoever waits is woken as if it had come.
class Hasty final : public Timers {
public:
    Hasty(test::FakeClock& clock, asio::io_context& io) : clock_{clock}, io_{io} {}
    Id schedule(BootTime at, std::function<void()> fire) override {
        ++waits;
        // After what happens now.
        asio::post(io_, [this, at, id = ++last_, fire = std::move(fire)] {
            asio::post(io_, [this, at, id, fire] {
                if (id == cancelled_) return;
                if (at > clock_.boot_now()) clock_.pass(at - clock_.boot_now());
                fire();
            });
        });
        return last_;
    }
    void cancel(Id id) noexcept override { cancelled_ = id; }
    int waits = 0;

private:
    test::FakeClock& clock_;
    asio::io_context& io_;
    Id last_ = 0, cancelled_ = 0;
};

struct Inline final : gateway::CpuPool {
    asio::awaitable<bool> run(std::function<void()> work) override {
        work();
        co_return true;
    }
};

std::string rule_of(const gateway::Outcome<gateway::Renewed>& outcome) {
    if (outcome) return {};
    const gateway::Failure failure = outcome.error();
    const auto* fault = std::get_if<gateway::UpstreamFault>(&failure);
    return fault == nullptr ? "?" : std::string(fault->rule) + (fault->possibly_issued ? "!" : "");
}

/// A gateway's credential of a lab CA, and what it takes to renew it there.
class World {
public:
    explicit World(labca::Settings settings = {})
        : ca{std::move(settings), clock, random},
          old{ca.issue_device_certificate("CN=ra,O=Example")},
          trust{crypto::TrustStore::of({ca.certificate()})} {
        upstream.responder.trust = trust;
        upstream.responder.pinned = {ca.responder()};
        clock.pass(1h);
    }

    gateway::Outcome<gateway::Renewed> renew(Exchange& at, crypto::PrivateKeyPtr key) {
        upstream::Local to{at};
        gateway::RenewalRequest request;
        request.credential = old;
        request.new_key = std::move(key);
        request.upstream = upstream;
        request.trust = trust;
        request.deadline = clock.boot_now() + 1h;
        request.keep = keep;
        request.until_stopped = until_stopped;
        std::optional<gateway::Outcome<gateway::Renewed>> outcome;
        asio::co_spawn(io,
                       gateway::renew(std::move(request), to,
                                      {cpu_, clock, timers, random, chains_}, settings_),
                       [&outcome](std::exception_ptr failed, auto result) {
                           REQUIRE(failed == nullptr);
                           outcome.emplace(std::move(result));
                       });
        io.restart();
        io.run();
        REQUIRE(outcome.has_value());
        return std::move(*outcome);
    }
    gateway::Outcome<gateway::Renewed> renew() {
        return renew(ca, crypto::PrivateKey::generate("ec:P-256"));
    }

    test::FakeClock clock;
    test::SeededRandom random{7};
    labca::LabCa ca;
    crypto::CredentialPtr old;
    crypto::TrustStorePtr trust;
    gateway::UpstreamSettings upstream;
    std::function<std::string(const crypto::Credential&)> keep;
    std::function<bool(std::function<void()>)> until_stopped;
    asio::io_context io;
    Hasty timers{clock, io};

private:
    Inline cpu_;
    crypto::ChainVerifier chains_{clock};
    gateway::Settings settings_;
};

/// Passes messages on and keeps them.
struct Recording final : Exchange {
    explicit Recording(Exchange& to) : onward{to} {}
    asio::awaitable<Reply> exchange(Arrival arrival) override {
        asked.push_back(arrival.der);
        co_return co_await onward.exchange(std::move(arrival));
    }
    [[nodiscard]] std::vector<cmp::BodyType> types() const {
        std::vector<cmp::BodyType> all;
        for (const Bytes& one : asked) all.push_back(cmp::parse_pki_message(one, {})->type);
        return all;
    }
    Exchange& onward;
    std::vector<Bytes> asked;
};

}  // namespace

TEST_SUITE("ra/gateway") {
    TEST_CASE("renew: a new certificate for the same name, with a new key, kept before confirmed") {
        World world;
        Recording ca{world.ca};
        std::size_t kept_after = 0;
        world.keep = [&](const crypto::Credential& made) {
            kept_after = ca.asked.size();
            CHECK(made.certificate->digest() != world.old->certificate->digest());
            return std::string{};
        };
        const auto key = crypto::PrivateKey::generate("ec:P-256");
        const auto renewed = world.renew(ca, key);
        INFO(rule_of(renewed));
        REQUIRE(renewed.has_value());
        const crypto::Credential& made = *renewed->credential;
        CHECK(made.name == world.old->name);
        CHECK(equal(made.certificate->subject(), world.old->certificate->subject()));
        CHECK(crypto::same_public_key(made.certificate->view().spki, key->spki()));
        CHECK(made.certificate->view().not_after > world.old->certificate->view().not_after);
        CHECK(made.chain.size() == 1);  // the root is the peer's to know
        CHECK(world.ca.open_transactions() == 0);
        CHECK(kept_after == 1);
        CHECK(ca.types() == std::vector{cmp::BodyType::kur, cmp::BodyType::certConf});
    }

    TEST_CASE("renew: the kur names the old certificate, and says what it said") {
        World world;
        Recording ca{world.ca};
        REQUIRE(world.renew(ca, crypto::PrivateKey::generate("ec:P-256")).has_value());
        const auto kur = cmp::parse_pki_message(ca.asked.front(), {});
        REQUIRE(kur.has_value());
        const auto bodies = cmp::parse_cert_req_messages(kur->content, 0, {});
        REQUIRE(bodies.has_value());
        const cmp::CertReqMsg& asked = bodies->front();
        REQUIRE(asked.controls.size() == 1);
        CHECK(cmp::oid::kOldCertId == asked.controls.front().type);
        REQUIRE(asked.cert_template.subject.has_value());
        CHECK(equal(*asked.cert_template.subject, world.old->certificate->subject()));
        CHECK(asked.popo == cmp::PopoType::signature);
        CHECK(equal(kur->header.sender, world.old->sender()));
        REQUIRE(kur->header.sender_kid.has_value());
        CHECK(equal(*kur->header.sender_kid, world.old->sender_kid()));
    }

    TEST_CASE("renew: a key that stays where it is, as in a token") {
        World world;
        const auto renewed = world.renew(world.ca, world.old->key);
        INFO(rule_of(renewed));
        REQUIRE(renewed.has_value());
        CHECK(crypto::same_public_key(renewed->credential->certificate->view().spki,
                                      world.old->certificate->view().spki));
    }

    TEST_CASE("renew: waits while the CA says waiting") {
        labca::Settings settings;
        settings.poll_count = 3;
        settings.check_after = 60s;
        World world{std::move(settings)};
        const auto renewed = world.renew();
        INFO(rule_of(renewed));
        REQUIRE(renewed.has_value());
        CHECK(world.timers.waits >= 3);
    }

    TEST_CASE("renew: not longer than it may, and not when the gateway ends") {
        const auto slow = [] {
            labca::Settings settings;
            settings.poll_count = 1000;
            settings.check_after = 600s;
            return settings;
        };
        World world{slow()};
        CHECK(rule_of(world.renew()) == "renewal-waiting!");
        World ending{slow()};
        int waits = 0;
        ending.until_stopped = [&waits](const std::function<void()>& stop) {
            if (++waits == 2) stop();
            return true;
        };
        CHECK(rule_of(ending.renew()) == "renewal-stopped!");
        CHECK(waits == 2);
    }

    TEST_CASE("renew: what is not believed (S-12), and what is not taken") {
        World world;
        SUBCASE("whoever is no authorised responder") {
            world.upstream.responder.pinned = {world.old->certificate};
            CHECK(rule_of(world.renew()) == "responder-authority!");
        }
        SUBCASE("a certificate that does not chain to the trust") {
            test::SeededRandom random{8};
            const labca::LabCa other{{}, world.clock, random};
            world.trust = crypto::TrustStore::of({other.certificate()});
            Recording ca{world.ca};
            CHECK(rule_of(world.renew(ca, crypto::PrivateKey::generate("ec:P-256"))) ==
                  "renewal-trust!");
            // The CA is told that nobody takes it.
            REQUIRE(ca.types().back() == cmp::BodyType::certConf);
            const auto conf = cmp::parse_pki_message(ca.asked.back(), {});
            const auto status = cmp::parse_cert_conf(conf->content, 0, {});
            REQUIRE(status.has_value());
            REQUIRE(status->front().status_info.has_value());
            CHECK(status->front().status_info->status == cmp::PKIStatus::rejection);
            CHECK(world.ca.open_transactions() == 0);
        }
        SUBCASE("what cannot be put where it outlives a crash") {
            world.keep = [](const crypto::Credential&) { return std::string{"disk full"}; };
            CHECK(rule_of(world.renew()) == "renewal-keep!");
            CHECK(world.ca.open_transactions() == 0);
        }
        SUBCASE("a certificate that does not last longer") {
            labca::Settings settings;
            settings.validity = 1h;
            World shorter{std::move(settings)};
            // The same moment: what is issued now ends when the old one does.
            World* const now = &shorter;
            now->old = now->ca.issue_device_certificate("CN=ra,O=Example");
            CHECK(rule_of(now->renew()) == "renewal-certificate!");
        }
    }

    TEST_CASE("renew: no CA, no certificate") {
        struct Silent final : Exchange {
            asio::awaitable<Reply> exchange(Arrival) override { co_return Overloaded{}; }
        } silent;
        World world;
        CHECK(rule_of(world.renew(silent, world.old->key)) == "not-sent");
    }

    TEST_CASE("renew: the CA says no") {
        World world;
        test::SeededRandom random{8};
        labca::LabCa other{{}, world.clock, random};  // does not know who asks
        world.upstream.responder.trust = crypto::TrustStore::of({other.certificate()});
        world.upstream.responder.pinned = {other.responder()};
        CHECK(rule_of(world.renew(other, world.old->key)) == "renewal-refused");
    }
}
