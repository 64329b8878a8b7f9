#include "tests/policy/support.h"

using namespace policy_test;

namespace {

std::vector<ProfilePtr> of(std::initializer_list<Profile> profiles) {
    std::vector<ProfilePtr> out;
    for (const Profile& one : profiles) out.push_back(std::make_shared<const Profile>(one));
    return out;
}

Bytes cert_profile(std::initializer_list<std::string_view> names) {
    DerWriter value;
    {
        const auto list = value.open(Tag::sequence);
        for (const std::string_view name : names) value.utf8(name);
    }
    return pair(cmp::oid::kCertProfile.view(), value.view());
}

std::string rule_of(const Judged<ProfiledMessage>& got) {
    return got ? "" : std::string(got.error().rule);
}

}  // namespace

TEST_SUITE("policy") {
    TEST_CASE("check_header: version, identifiers, nonces, body") {
        struct Row {
            const char* name;
            std::function<void(cmp::PKIMessage&)> change;
            const char* rule;
            PKIFailureInfo info;
        };
        const Bytes eight(8, 1), sixteen(16, 1), many(65, 1), long_kid(257, 1);
        const Row rows[] = {
            {"as it is", [](auto&) {}, "", {}},
            {"pvno 3", [](auto& m) { m.header.pvno = 3; }, "", {}},
            {"pvno 1", [](auto& m) { m.header.pvno = 1; }, "pvno",
             PKIFailureInfo::unsupportedVersion},
            {"pvno 4", [](auto& m) { m.header.pvno = 4; }, "pvno",
             PKIFailureInfo::unsupportedVersion},
            {"no transactionID", [](auto& m) { m.header.transaction_id.reset(); }, "transaction-id",
             PKIFailureInfo::badDataFormat},
            {"short transactionID", [&](auto& m) { m.header.transaction_id = eight; },
             "transaction-id", PKIFailureInfo::badDataFormat},
            {"long transactionID", [&](auto& m) { m.header.transaction_id = many; },
             "transaction-id", PKIFailureInfo::badDataFormat},
            {"no senderNonce", [](auto& m) { m.header.sender_nonce.reset(); }, "sender-nonce",
             PKIFailureInfo::badSenderNonce},
            {"short senderNonce", [&](auto& m) { m.header.sender_nonce = eight; }, "sender-nonce",
             PKIFailureInfo::badSenderNonce},
            {"recipNonce in a first message", [&](auto& m) { m.header.recip_nonce = sixteen; },
             "recip-nonce", PKIFailureInfo::badRecipientNonce},
            {"certConf without recipNonce", [](auto& m) { m.type = BodyType::certConf; },
             "recip-nonce", PKIFailureInfo::badRecipientNonce},
            {"pollReq without recipNonce", [](auto& m) { m.type = BodyType::pollReq; },
             "recip-nonce", PKIFailureInfo::badRecipientNonce},
            {"pollReq with recipNonce",
             [&](auto& m) {
                 m.type = BodyType::pollReq;
                 m.header.recip_nonce = sixteen;
             },
             "",
             {}},
            {"a response", [](auto& m) { m.type = BodyType::ip; }, "body-type",
             PKIFailureInfo::badRequest},
            {"error sent upstream", [](auto& m) { m.type = BodyType::error; }, "body-type",
             PKIFailureInfo::badRequest},
            {"an announcement", [](auto& m) { m.type = BodyType::crlann; }, "body-type",
             PKIFailureInfo::badRequest},
            {"pkiconf", [](auto& m) { m.type = BodyType::pkiconf; }, "body-type",
             PKIFailureInfo::badRequest},
            {"long senderKID", [&](auto& m) { m.header.sender_kid = long_kid; }, "kid-size",
             PKIFailureInfo::badDataFormat},
        };
        const auto message = parsed(message_of({}));
        for (const Row& row : rows) {
            CAPTURE(row.name);
            cmp::PKIMessage changed = message.message();
            row.change(changed);
            const auto got = check_header(changed, {});
            CHECK(std::string(got ? "" : got.error().rule) == row.rule);
            if (!got) CHECK(got.error().fail_info == row.info);
        }
    }

    TEST_CASE("select: the first profile that matches; none refuses") {
        Profile other = device_profile();
        other.name = "other";
        Profile labelled = device_profile();
        labelled.match.labels = {"line3"};
        struct Row {
            const char* name;
            std::function<void(Profile&, ArrivalFacts&)> change;
            const char* rule;
        };
        const Row rows[] = {
            {"empty match", [](Profile&, ArrivalFacts&) {}, ""},
            {"label",
             [](Profile& p, ArrivalFacts& f) {
                 p.match.labels = {"line3"};
                 f.label = "line3";
             },
             ""},
            {"path says ir", [](Profile&, ArrivalFacts& f) { f.advised = ra::Operation::ir; }, ""},
            {"sender",
             [](Profile& p, ArrivalFacts&) {
                 p.match.senders = {NamePattern::parse("CN=*,O=Example")};
             },
             ""},
            {"other label",
             [](Profile& p, ArrivalFacts& f) {
                 p.match.labels = {"line3"};
                 f.label = "line4";
             },
             "no-profile"},
            {"bare path", [](Profile& p, ArrivalFacts&) { p.match.labels = {"line3"}; },
             "no-profile"},
            {"label is exact",
             [](Profile& p, ArrivalFacts& f) {
                 p.match.labels = {"line3"};
                 f.label = "LINE3";
             },
             "no-profile"},
            {"other listener",
             [](Profile& p, ArrivalFacts&) { p.match.listeners = {ra::ListenerId{7}}; },
             "no-profile"},
            {"other operation",
             [](Profile& p, ArrivalFacts&) {
                 p.match.operations.set(static_cast<std::size_t>(BodyType::rr));
             },
             "no-profile"},
            {"certProfile wanted",
             [](Profile& p, ArrivalFacts&) { p.match.cert_profiles = {"tls"}; }, "no-profile"},
            {"other sender",
             [](Profile& p, ArrivalFacts&) {
                 p.match.senders = {NamePattern::parse("CN=*,O=Elsewhere")};
             },
             "no-profile"},
            {"path says kur", [](Profile&, ArrivalFacts& f) { f.advised = ra::Operation::kur; },
             "operation-mismatch"},
            {"path says getcacerts",
             [](Profile&, ArrivalFacts& f) { f.advised = ra::Operation::get_ca_certs; },
             "operation-mismatch"},
        };
        for (const Row& row : rows) {
            CAPTURE(row.name);
            Profile profile = device_profile();
            ArrivalFacts facts;
            row.change(profile, facts);
            CHECK(rule_of(select(parsed(message_of({})), facts, of({profile}), nullptr)) ==
                  row.rule);
        }
        CHECK(rule_of(select(parsed(message_of({})), {}, {}, nullptr)) == "no-profile");

        ArrivalFacts at;
        const auto got = select(parsed(message_of({})), at, of({labelled, other}), nullptr);
        REQUIRE(got.has_value());
        CHECK(got->profile().name == "other");
    }

    TEST_CASE("select: a follow-up stays where its transaction began (R-154)") {
        Request poll;
        poll.body = cmp::build_poll_req_body(0);
        poll.recip_nonce = Bytes(16, 9);
        Profile profile = device_profile();
        profile.match.labels = {"line3"};
        const ProfilePtr pinned = std::make_shared<const Profile>(profile);
        ArrivalFacts facts;
        facts.label = "line3";
        facts.advised = ra::Operation::ir;
        CHECK(rule_of(select(parsed(message_of(poll)), facts, {}, pinned)).empty());
        facts.label = "line4";
        CHECK(rule_of(select(parsed(message_of(poll)), facts, {}, pinned)) == "label-mismatch");
        facts.label = "";
        CHECK(rule_of(select(parsed(message_of(poll)), facts, {}, pinned)) == "label-mismatch");
    }

    TEST_CASE("select: tls_client narrows to connections with such a certificate (R-166, S-41)") {
        Profile profile = device_profile();
        profile.tls_client.subjects = {NamePattern::parse("CN=device-*,O=Example")};
        Request poll;
        poll.body = cmp::build_poll_req_body(0);
        poll.recip_nonce = Bytes(16, 9);
        ra::TlsFacts device;
        device.client_subject = ra::crypto::name_of("CN=device-7,O=Example");
        ra::TlsFacts laptop;
        laptop.client_subject = ra::crypto::name_of("CN=laptop,O=Example");
        const ra::TlsFacts anonymous;
        ra::TlsFacts told = device;
        told.told_by_proxy = true;
        struct Row {
            const char* name;
            const ra::TlsFacts* tls;
            bool from_proxy;
            bool taken;
        };
        const Row rows[] = {
            {"its certificate", &device, false, true},
            {"its certificate, where a proxy's word would do", &device, true, true},
            {"no TLS", nullptr, false, false},
            {"no certificate", &anonymous, false, false},
            {"another subject", &laptop, false, false},
            {"only a proxy says so", &told, false, false},
            {"a proxy says so, and may", &told, true, true},
        };
        for (const Row& row : rows) {
            CAPTURE(row.name);
            profile.tls_client.from_proxy = row.from_proxy;
            ArrivalFacts facts;
            facts.tls = row.tls;
            const char* rule = row.taken ? "" : "tls-client";
            const auto got = select(parsed(message_of({})), facts, of({profile}), nullptr);
            CHECK(rule_of(got) == rule);
            if (!got) CHECK(got.error().fail_info == PKIFailureInfo::notAuthorized);
            // A follow-up comes over such a connection, too.
            const ProfilePtr pinned = std::make_shared<const Profile>(profile);
            CHECK(rule_of(select(parsed(message_of(poll)), facts, {}, pinned)) == rule);
        }
        // It stands beside the message's protection and does not replace it.
        ArrivalFacts facts;
        facts.tls = &device;
        profile.origin.trust = nullptr;
        const auto refused = proven(message_of({}), profile, facts);
        REQUIRE(!refused.has_value());
        CHECK(refused.error().rule == "no-trust");
    }

    TEST_CASE("S-16: a label routes; the protected certProfile may have to equal it") {
        Profile profile = device_profile();
        profile.require_profile_equals_label = true;
        ArrivalFacts facts;
        facts.label = "line3";
        Request request;
        CHECK(rule_of(select(parsed(message_of(request)), facts, of({profile}), nullptr)) ==
              "label-mismatch");
        request.general_info = cert_profile({"line4"});
        CHECK(rule_of(select(parsed(message_of(request)), facts, of({profile}), nullptr)) ==
              "label-mismatch");
        request.general_info = cert_profile({"line3", "line4"});
        CHECK(rule_of(select(parsed(message_of(request)), facts, of({profile}), nullptr)) ==
              "label-mismatch");
        request.general_info = cert_profile({"line3"});
        CHECK(rule_of(select(parsed(message_of(request)), facts, of({profile}), nullptr)).empty());
        check(judged(message_of(request), profile, facts), "");
        facts.label = "";
        CHECK(rule_of(select(parsed(message_of(request)), facts, of({profile}), nullptr)) ==
              "label-mismatch");
    }

    TEST_CASE("S-15: a certProfile the profile was not written for is refused") {
        Request request;
        request.general_info = cert_profile({"admin"});
        check(judged(message_of(request), device_profile()), "cert-profile",
              PKIFailureInfo::unacceptedPolicy);
        Profile profile = device_profile();
        profile.match.cert_profiles = {"admin"};
        check(judged(message_of(request), profile), "");
        request.general_info = cert_profile({"admin", "root"});
        check(judged(message_of(request), profile), "no-profile", PKIFailureInfo::notAuthorized);
        check(judged(message_of(request), device_profile()), "cert-profile",
              PKIFailureInfo::badRequest);
    }
}
