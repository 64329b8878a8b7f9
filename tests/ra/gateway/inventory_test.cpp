#include "tests/ra/gateway/gate.h"

using namespace gateway_test;

TEST_SUITE("ra/gateway") {
    TEST_CASE("S-14: a key certified for one device is refused to another") {
        Gate gate;
        const auto key = new_key();
        Device a{gate, "CN=a"};
        const auto certified = a.enrol(BodyType::ir, key, "CN=a");
        REQUIRE(certified != nullptr);
        CHECK(gate.inventory.sizes().keys == 1);

        // Whoever has stolen the key, or left the factory with the same one.
        Device b{gate, "CN=b"};
        const Heard refused = b.begin(request(BodyType::ir, *key, "CN=b"));
        CHECK(refused.type() == BodyType::ip);
        CHECK(refused.refused_for(PKIFailureInfo::duplicateCertReq));
        CHECK(gate.audit.rule == "duplicate-key");
        CHECK(b.begin(labca_test::pkcs10(*key, "CN=b"))
                  .refused_for(PKIFailureInfo::duplicateCertReq));

        // The device itself comes again, with either of its certificates: a stock client's kur
        // asks for the key it has.
        CHECK(a.enrol(BodyType::cr, key, "CN=a") != nullptr);
        Device updating{gate, certified};
        const auto updated = updating.enrol(BodyType::kur, key, "CN=a");
        REQUIRE(updated != nullptr);
        Device again{gate, updated};
        CHECK(again.enrol(BodyType::kur, key, "CN=a") != nullptr);
        CHECK(gate.inventory.sizes().keys == 1);

        gate.profile.rules.duplicate_keys = true;
        gate.use();
        CHECK(b.enrol(BodyType::ir, key, "CN=b") != nullptr);
    }

    TEST_CASE("S-14: many updates of one key: the first certificate and the newest hold it") {
        Gate gate;
        const auto key = new_key();
        Device first{gate, "CN=a"};
        std::vector<crypto::CredentialPtr> certified{first.enrol(BodyType::ir, key, "CN=a")};
        for (int i = 0; i < 6; ++i) {
            REQUIRE(certified.back() != nullptr);
            Device updating{gate, certified.back()};
            certified.push_back(updating.enrol(BodyType::kur, key, "CN=a"));
        }
        CHECK(first.enrol(BodyType::cr, key, "CN=a") != nullptr);
        Device forgotten{gate, certified.at(1)};
        CHECK(forgotten.enrol(BodyType::kur, key, "CN=a") == nullptr);
        CHECK(gate.audit.rule == "duplicate-key");
    }

    TEST_CASE("S-14: what nobody verified is not held against anybody") {
        Gate gate;
        const auto key = new_key();
        const auto verified = gate.profile;
        gate.profile.origin.kind = policy::OriginSettings::Kind::opaque;
        gate.use();
        Device a{gate, "CN=a"};
        REQUIRE(a.enrol(BodyType::ir, key, "CN=a") != nullptr);
        CHECK(gate.inventory.sizes().keys == 0);
        gate.profile = verified;
        gate.use();
        Device b{gate, "CN=b"};
        CHECK(b.enrol(BodyType::ir, key, "CN=b") != nullptr);
    }

    TEST_CASE("S-14: of two who ask for one key at once, one gets it") {
        // Both found it free: the second is stopped where its certificate comes back.
        Gate gate;
        const auto key = new_key();
        Device b{gate, "CN=b"};
        struct Late final : gateway::Inventory {
            Late(Gate& gate, gateway::Inventory& inner) : gate_{gate}, inner_{inner} {}
            asio::awaitable<std::optional<Entry>> find_key(const crypto::Sha256& key) override {
                if (asked_++ == 0) co_return std::nullopt;
                if (asked_ == 2) {
                    policy::KeyHolder other;
                    other.principals = {policy::Principal{}};
                    other.until = gate_.clock.wall_now() + std::chrono::hours{1};
                    co_await inner_.put_key(key, 0, other);
                }
                co_return co_await inner_.find_key(key);
            }
            asio::awaitable<bool> put_key(const crypto::Sha256& key, std::uint64_t version,
                                          policy::KeyHolder holder) override {
                co_return co_await inner_.put_key(key, version, std::move(holder));
            }
            asio::awaitable<void> add_revoked(ByteView issuer, ByteView serial,
                                              WallTime until) override {
                co_await inner_.add_revoked(issuer, serial, until);
            }
            [[nodiscard]] bool is_revoked(ByteView issuer, ByteView serial) const override {
                return inner_.is_revoked(issuer, serial);
            }
            [[nodiscard]] Sizes sizes() const override { return inner_.sizes(); }

        private:
            Gate& gate_;
            gateway::Inventory& inner_;
            int asked_ = 0;
        } late{gate, gate.inventory};
        gate.use_inventory(late);
        const Heard refused = b.begin(request(BodyType::ir, *key, "CN=b"));
        CHECK(refused.refused_for(PKIFailureInfo::systemFailure));
        CHECK(gate.audit.rule == "issued-duplicate-key");
        CHECK(gate.audit.possibly_issued);
    }

    TEST_CASE("S-33: what was revoked through this gateway signs nothing any more") {
        Gate gate;
        Device a{gate, "CN=a"};
        const auto certified = a.enrol(BodyType::ir, new_key(), "CN=a");
        REQUIRE(certified != nullptr);
        Device owner{gate, certified};
        const auto& view = certified->certificate->view();
        const Heard revoked = owner.begin(cmp::build_rev_req_body(view.issuer, view.serial, 1));
        CHECK(revoked.type() == BodyType::rp);
        CHECK(revoked.status().status == cmp::PKIStatus::accepted);
        CHECK(gate.inventory.sizes().revoked == 1);

        // A repetition still gets its answer (S-05).
        const Heard repeated = gate.deliver(owner.last);
        CHECK(gate.audit.decision == "repeated");
        CHECK(equal(repeated.message->whole, revoked.message->whole));

        const Heard refused = owner.begin(request(BodyType::kur, *new_key(), "CN=a"));
        CHECK(refused.refused_for(PKIFailureInfo::certRevoked));
        CHECK(gate.audit.rule == "signer-revoked");
        // Nobody else's is.
        CHECK(a.enrol(BodyType::cr, new_key(), "CN=a") != nullptr);
    }

    TEST_CASE("S-33: a refused revocation, and one on hold, are not remembered") {
        Gate gate;
        Device a{gate, "CN=a"};
        const auto certified = a.enrol(BodyType::ir, new_key(), "CN=a");
        REQUIRE(certified != nullptr);
        const auto& view = certified->certificate->view();
        Device owner{gate, certified};
        constexpr int kCertificateHold = 6;
        CHECK(owner.begin(cmp::build_rev_req_body(view.issuer, view.serial, kCertificateHold))
                  .type() == BodyType::rp);
        CHECK(gate.inventory.sizes().revoked == 0);
        gate.profile.rules.rr_reasons.reset();
        gate.use();
        CHECK(owner.begin(cmp::build_rev_req_body(view.issuer, view.serial, 1)).status().status ==
              cmp::PKIStatus::rejection);
        CHECK(gate.inventory.sizes().revoked == 0);
    }
}
