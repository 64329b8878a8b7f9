#include "policy/inventory.h"

#include "policy/distinguished_name.h"
#include "policy/source_prefix.h"
#include "tests/policy/rows.h"

using namespace policy_test;

namespace {

Principal principal_of(const crypto::Credential& credential) {
    return signature_principal(credential.certificate->digest());
}

ra::crypto::Sha256 subject_of(std::string_view name) {
    return subject_digest(crypto::name_of(name));
}

Profile with_ra(bool any_subject) {
    Profile profile = device_profile();
    profile.ra.trust = Pki::get().ras.trust;
    profile.ra.any_subject = any_subject;
    profile.rules.subjects = {NamePattern::parse("*")};
    return profile;
}

}  // namespace

TEST_SUITE("policy") {
    TEST_CASE("S-14: a key certified here belongs to its holders") {
        const Pki& pki = Pki::get();
        struct Holding {
            const char* name;
            const crypto::Credential& by;
            std::vector<Principal> principals;
            std::string subject;  // of the certificate
            std::chrono::seconds left;
            bool ra;  // asked as an RA for others
            const char* rule;
        };
        const std::chrono::hours year{24 * 365};
        const Principal own = principal_of(pki.device), other = principal_of(pki.other),
                        ra = principal_of(pki.ra);
        const Holding rows[] = {
            {"own", pki.device, {own}, "CN=dev1,O=Example", year, false, ""},
            {"own among others", pki.device, {other, own}, "CN=x", year, false, ""},
            {"another's, until now",
             pki.device,
             {other},
             "CN=x",
             std::chrono::seconds{0},
             false,
             ""},
            {"another's", pki.device, {other}, "CN=dev2,O=Example", year, false, "duplicate-key"},
            {"another's of the same name",
             pki.device,
             {other},
             "CN=dev1,O=Example",
             year,
             false,
             "duplicate-key"},
            {"the last second",
             pki.device,
             {other},
             "CN=x",
             std::chrono::seconds{1},
             false,
             "duplicate-key"},
            // An RA's certificate changes, and it asks for many: the subject decides.
            {"RA, same subject", pki.ra, {other}, "CN=dev1,O=Example", year, true, ""},
            {"RA, same subject in other letters",
             pki.ra,
             {other},
             "CN=DEV1,O=Example",
             year,
             true,
             ""},
            {"RA, for another device of its own",
             pki.ra,
             {ra},
             "CN=dev2,O=Example",
             year,
             true,
             "duplicate-key"},
        };
        for (const Holding& row : rows) {
            CAPTURE(row.name);
            Request request;
            request.by = &row.by;
            auto proven_request = proven(message_of(request), with_ra(row.ra));
            REQUIRE(proven_request.has_value());
            InventoryFacts known;
            known.holder = KeyHolder{row.principals, subject_of(row.subject), kNow + row.left};
            const Decision decision = decide(*proven_request, kNow, known);
            check(decision, row.rule, PKIFailureInfo::duplicateCertReq);
            if (const auto* refuse = std::get_if<Refuse>(&decision)) CHECK(refuse->in_body);
        }
    }

    TEST_CASE("S-14: who comes with a new secret for the same subject is the same device") {
        auto profile = std::make_shared<Profile>(device_profile());
        const auto with_secret = [&profile](std::string_view subject) {
            Request asked;
            asked.subject = subject;
            Origin origin;
            origin.principal = Principal{crypto::sha256(ra::as_bytes("the second secret"))};
            origin.verified = true;
            origin.reference = ra::to_bytes(ra::as_bytes("dev1"));
            origin.subject = crypto::name_of(subject);
            auto message = Access::profiled(parsed(message_of(asked)), profile);
            return prove(Access::authentic(std::move(message), std::move(origin)), {});
        };
        InventoryFacts known;
        known.holder = KeyHolder{{Principal{}}, subject_of("CN=dev1,O=Example"), kNow + kYear};
        const auto same = with_secret("CN=dev1,O=Example");
        REQUIRE(same.has_value());
        check(decide(*same, kNow, known), "");
        const auto other = with_secret("CN=dev2,O=Example");
        REQUIRE(other.has_value());
        check(decide(*other, kNow, known), "duplicate-key", PKIFailureInfo::duplicateCertReq);
    }

    TEST_CASE("S-14: a profile may permit it; a revoked signer is refused whatever it asks") {
        Profile profile = device_profile();
        InventoryFacts known;
        known.holder = KeyHolder{{Principal{}}, {}, kNow + kYear};
        profile.rules.duplicate_keys = true;
        auto request = proven(message_of({}), profile);
        REQUIRE(request.has_value());
        check(decide(*request, kNow, known), "");
        known.signer_revoked = true;
        check(decide(*request, kNow, known), "signer-revoked", PKIFailureInfo::certRevoked);
    }

    TEST_CASE("S-14: the plan names the key asked for, and nothing of an opaque message") {
        const Pki& pki = Pki::get();
        const auto request = proven(message_of({}), device_profile());
        REQUIRE(request.has_value());
        const auto plan = plan_inventory(*request);
        REQUIRE(plan.key.has_value());
        CHECK(*plan.key == crypto::key_digest(pki.new_key->spki()).value());

        Profile opaque = device_profile();
        opaque.origin.kind = OriginSettings::Kind::opaque;
        CHECK_FALSE(plan_inventory(*proven(message_of({}), opaque)).key.has_value());

        Profile central = device_profile();
        central.rules.central_key_generation = true;
        Request without_key;
        without_key.without_key = true;
        without_key.popo = Request::Popo::absent;
        without_key.pvno = 3;
        const auto asked = proven(message_of(without_key), central);
        REQUIRE(asked.has_value());
        CHECK_FALSE(plan_inventory(*asked).key.has_value());
    }

    TEST_CASE("S-14: holders are who asked first and who came last, at most four") {
        const Pki& pki = Pki::get();
        const auto request = proven(message_of({}), device_profile());
        REQUIRE(request.has_value());
        const Principal asker = principal_of(pki.device);
        std::optional<KeyHolder> held;
        std::vector<Principal> issued;
        for (int i = 0; i < 6; ++i) {
            const crypto::Credential made = pki.devices.issue("CN=dev1,O=Example");
            issued.push_back(principal_of(made));
            held = hold_key(held, request->authentic(), made.certificate->view(), kNow);
            REQUIRE(held.has_value());
            CHECK(held->principals.front() == asker);
            CHECK(held->principals.back() == issued.back());
            CHECK(held->principals.size() <= kMostKeyHolders);
            CHECK(held->until == made.certificate->view().not_after);
            CHECK(held->subject == subject_of("CN=dev1,O=Example"));
        }
        CHECK(held->principals == std::vector{asker, issued[3], issued[4], issued[5]});

        // Another's, as long as it is; then free.
        KeyHolder foreign{{principal_of(pki.other)}, {}, kNow + std::chrono::seconds{1}};
        const auto& view = pki.other.certificate->view();
        CHECK_FALSE(hold_key(foreign, request->authentic(), view, kNow).has_value());
        const auto later =
            hold_key(foreign, request->authentic(), view, kNow + std::chrono::seconds{1});
        REQUIRE(later.has_value());
        CHECK(later->principals.front() == asker);
    }

    TEST_CASE("names that are the same have the same digest") {
        const Bytes mixed = crypto::name_of("CN=Dev  One,O=Example");
        const Bytes folded = crypto::name_of("CN=dev one,O=example");
        CHECK(same_name(mixed, folded));
        CHECK(subject_digest(mixed) == subject_digest(folded));
        for (const char* other : {"CN=dev one,O=example,C=DE", "O=example,CN=dev one",
                                  "CN=devone,O=example", "CN=dev one", ""}) {
            CAPTURE(other);
            CHECK(subject_digest(crypto::name_of(other)) != subject_digest(folded));
        }
        CHECK(subject_digest(Bytes{0x30, 0x05}) != subject_digest(Bytes{0x30, 0x06}));
    }

    TEST_CASE("peers are counted by IPv4 address and by IPv6 /64") {
        struct Row {
            const char *a, *b;
            bool same;
        };
        const Row rows[] = {{"192.0.2.1", "192.0.2.1", true},
                            {"192.0.2.1", "::ffff:192.0.2.1", true},
                            {"2001:db8::1", "2001:db8::ffff:1", true},
                            {"fe80::1%eth0", "fe80::2", true},
                            {"", "", true},
                            {"192.0.2.1", "192.0.2.2", false},
                            {"::ffff:192.0.2.1", "::ffff:192.0.2.2", false},
                            {"2001:db8::1", "2001:db8:0:1::1", false},
                            {"", "0.0.0.0", false},
                            {"spool", "spool2", false}};
        for (const Row& row : rows) {
            CAPTURE(row.a);
            CAPTURE(row.b);
            CHECK((source_prefix(row.a) == source_prefix(row.b)) == row.same);
        }
    }
}
