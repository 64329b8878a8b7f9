#include "tests/policy/support.h"

using namespace policy_test;

TEST_SUITE("policy") {
    TEST_CASE("origin: who sent it") {
        const Pki& pki = Pki::get();
        const Bytes foreign_kid(20, 7);
        struct Row {
            const char* name;
            std::function<void(Request&, Profile&)> change;
            const char* rule;
            PKIFailureInfo info;
        };
        const Row rows[] = {
            {"a device under the root", [](Request&, Profile&) {}, "", {}},
            {"clock 300 s off",
             [](Request& r, Profile&) { r.time = kNow - std::chrono::seconds{300}; },
             "",
             {}},
            {"undated, to be remembered",
             [](Request& r, Profile& p) {
                 r.time.reset();
                 p.origin.undated = OriginSettings::Undated::remember;
             },
             "",
             {}},
            {"sender not looked at",
             [](Request& r, Profile& p) {
                 r.sender_override = cmp::general_name(crypto::name_of("CN=x"));
                 p.origin.sender_is_subject = false;
             },
             "",
             {}},
            {"under a foreign root", [&](Request& r, Profile&) { r.by = &pki.stranger; }, "chain",
             PKIFailureInfo::signerNotTrusted},
            {"an RA where none is configured", [&](Request& r, Profile&) { r.by = &pki.ra; },
             "chain", PKIFailureInfo::signerNotTrusted},
            {"no digitalSignature (R-013)", [&](Request& r, Profile&) { r.by = &pki.no_signing; },
             "signer-key-usage", PKIFailureInfo::signerNotTrusted},
            {"senderKID of another key (R-011)",
             [&](Request& r, Profile&) { r.sender_kid_override = foreign_kid; }, "sender-kid",
             PKIFailureInfo::badMessageCheck},
            {"sender of another name (R-017)",
             [](Request& r, Profile&) {
                 r.sender_override = cmp::general_name(crypto::name_of("CN=dev2,O=Example"));
             },
             "sender", PKIFailureInfo::badMessageCheck},
            {"sender NULL-DN",
             [](Request& r, Profile&) { r.sender_override = cmp::general_name(Bytes{0x30, 0x00}); },
             "sender", PKIFailureInfo::badMessageCheck},
            {"301 s old", [](Request& r, Profile&) { r.time = kNow - std::chrono::seconds{301}; },
             "message-time", PKIFailureInfo::badTime},
            {"301 s ahead", [](Request& r, Profile&) { r.time = kNow + std::chrono::seconds{301}; },
             "message-time", PKIFailureInfo::badTime},
            {"undated", [](Request& r, Profile&) { r.time.reset(); }, "message-time",
             PKIFailureInfo::missingTimeStamp},
        };
        for (const Row& row : rows) {
            CAPTURE(row.name);
            Request request;
            Profile profile = device_profile();
            row.change(request, profile);
            if (request.by == &pki.ra) request.subject = "CN=RA,O=Example";
            check(judged(message_of(request), profile), row.rule, row.info);
        }
    }

    TEST_CASE("origin: every octet of header and body is protected") {
        const Bytes good = message_of({});
        const auto message = parsed(Bytes(good));
        const ByteView covered = message->protected_content();
        const auto begin = static_cast<std::size_t>(covered.data() - message.der().data());
        std::size_t refused = 0;
        for (std::size_t at = begin; at < begin + covered.size(); at += 7) {
            Bytes flipped = good;
            flipped[at] ^= 0x01;
            auto changed = cmp::ParsedMessage::parse(cmp::MessageBuffer{Bytes(flipped)}, {});
            if (!changed) continue;
            CAPTURE(at);
            const Decision decision = judged(std::move(flipped), device_profile());
            CHECK(std::holds_alternative<Refuse>(decision));
            ++refused;
        }
        CHECK(refused > 20);
    }

    TEST_CASE("origin: protection of another kind, or none") {
        const Bytes body = body_of({});
        const Bytes id(16, 1), sender = Pki::get().device.sender();
        cmp::HeaderFields fields;
        fields.sender = sender;
        fields.message_time = kNow;
        fields.transaction_id = id;
        fields.sender_nonce = id;
        check(judged(cmp::build_pki_message(cmp::build_header(fields), body, {}, {}),
                     device_profile()),
              "unprotected", PKIFailureInfo::badMessageCheck);
        for (const asn1::Oid& mac : {cmp::oid::kPasswordBasedMac, cmp::oid::kPbmac1,
                                     cmp::oid::kDhBasedMac, cmp::oid::kKemBasedMac}) {
            const Bytes algorithm = pair(mac.view(), Bytes{0x05, 0x00});
            fields.protection_alg = algorithm;
            const Bytes message =
                cmp::build_pki_message(cmp::build_header(fields), body, Bytes(32, 5), {});
            check(judged(message, device_profile()), "protection-kind",
                  PKIFailureInfo::wrongIntegrity);
        }
    }

    TEST_CASE("S-10: absent trust refuses, opaque is said in as many words") {
        Profile profile = device_profile();
        profile.origin.trust = nullptr;
        check(judged(message_of({}), profile), "no-trust", PKIFailureInfo::notAuthorized);
        check(judged(message_of({}), Profile{}), "no-trust", PKIFailureInfo::notAuthorized);

        profile.origin.kind = OriginSettings::Kind::opaque;
        Request junk;
        junk.by = &Pki::get().stranger;
        junk.popo = Request::Popo::bad_signature;
        const auto relayed = proven(message_of(junk), profile);
        REQUIRE(relayed.has_value());
        CHECK_FALSE(relayed->origin().verified);
        CHECK(relayed->origin().signer == nullptr);
        CHECK(std::holds_alternative<std::monostate>(relayed->body()));
        CHECK(std::holds_alternative<Permit>(decide(*relayed, kNow)));
        const auto verdicts = explain(*relayed, kNow);
        REQUIRE(verdicts.size() == 1);
        CHECK(verdicts[0].rule == "origin");
    }

    TEST_CASE("S-05: what an opaque profile forgets is too old to be relayed again") {
        Profile profile = device_profile();
        profile.origin.kind = OriginSettings::Kind::opaque;
        Request recorded;
        recorded.time = kNow - std::chrono::seconds{301};
        check(judged(message_of(recorded), profile), "message-time", PKIFailureInfo::badTime);
        profile.origin.time_window = std::chrono::seconds{0};
        check(judged(message_of(recorded), profile), "", {});
        profile.origin.time_window = std::chrono::seconds{300};
        recorded.time.reset();
        check(judged(message_of(recorded), profile), "", {});  // its CA may know better
    }

    TEST_CASE("S-03: principals differ by identity, kind and (opaque) listener") {
        Profile opaque = device_profile();
        opaque.origin.kind = OriginSettings::Kind::opaque;
        const auto principal = [](const Request& request, const Profile& profile,
                                  std::uint16_t listener) {
            ArrivalFacts facts;
            facts.listener = ra::ListenerId{listener};
            const auto got = proven(message_of(request), profile, facts);
            REQUIRE(got.has_value());
            return got->origin().principal;
        };
        Request other;
        other.by = &Pki::get().other;
        other.subject = "CN=dev2,O=Example";
        const Principal mine = principal({}, device_profile(), 0);
        CHECK(mine == principal({}, device_profile(), 1));
        CHECK_FALSE(mine == principal(other, device_profile(), 0));
        CHECK_FALSE(mine == principal({}, opaque, 0));
        CHECK(principal({}, opaque, 0) == principal({}, opaque, 0));
        CHECK_FALSE(principal({}, opaque, 0) == principal({}, opaque, 1));
        CHECK_FALSE(principal({}, opaque, 0) == principal(other, opaque, 0));
    }

    TEST_CASE("S-11: RA authority comes from the RA's own trust, whatever EKU a device has") {
        const Pki& pki = Pki::get();
        Profile with_ra = device_profile();
        with_ra.ra.trust = pki.ras.trust;
        with_ra.ra.ra_verified = true;
        with_ra.ra.any_subject = true;
        with_ra.rules.subjects = {NamePattern::parse("CN=${sender.CN},O=Example")};
        Profile without_right = with_ra;
        without_right.ra.ra_verified = false;
        Profile only_devices = with_ra;
        only_devices.ra.trust = nullptr;

        struct Row {
            const char* name;
            const crypto::Credential* by;
            const Profile* profile;
            const char* rule;
            PKIFailureInfo info;
        };
        const Row rows[] = {
            {"the RA", &pki.ra, &with_ra, "", {}},
            {"a device", &pki.device, &with_ra, "ra-verified", PKIFailureInfo::notAuthorized},
            {"a device with cmcRA", &pki.posing, &with_ra, "ra-verified",
             PKIFailureInfo::notAuthorized},
            {"a device with cmcRA, no RA configured", &pki.posing, &only_devices, "ra-verified",
             PKIFailureInfo::notAuthorized},
            {"under the RA's root without cmcRA", &pki.ra_without_eku, &with_ra, "chain",
             PKIFailureInfo::signerNotTrusted},
            {"the RA without that right", &pki.ra, &without_right, "ra-verified",
             PKIFailureInfo::notAuthorized},
            {"the RA where devices are trusted", &pki.ra, &only_devices, "chain",
             PKIFailureInfo::signerNotTrusted},
            {"a stranger", &pki.stranger, &with_ra, "chain", PKIFailureInfo::signerNotTrusted},
        };
        for (const Row& row : rows) {
            CAPTURE(row.name);
            Request request;
            request.by = row.by;
            request.popo = Request::Popo::ra_verified;
            check(judged(message_of(request), *row.profile), row.rule, row.info);
        }
    }
}
