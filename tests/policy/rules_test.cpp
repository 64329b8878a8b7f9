#include "policy/rules.h"

#include "tests/policy/rows.h"

using namespace policy_test;

TEST_SUITE("policy") {
    TEST_CASE("proof of possession (R-051)") {
        const Row rows[] = {
            {"signature", [](Request&, Profile&) {}, ""},
            {"none, optional",
             [](Request& r, Profile& p) {
                 r.popo = Request::Popo::absent;
                 p.pop = Pop::optional;
             },
             ""},
            {"subsequentMessage, optional",
             [](Request& r, Profile& p) {
                 r.popo = Request::Popo::later;
                 p.pop = Pop::optional;
             },
             ""},
            {"none", [](Request& r, Profile&) { r.popo = Request::Popo::absent; }, "pop",
             PKIFailureInfo::badPOP},
            {"wrong signature", [](Request& r, Profile&) { r.popo = Request::Popo::bad_signature; },
             "pop", PKIFailureInfo::badPOP},
            {"wrong signature, optional",
             [](Request& r, Profile& p) {
                 r.popo = Request::Popo::bad_signature;
                 p.pop = Pop::optional;
             },
             "pop", PKIFailureInfo::badPOP},
            {"subsequentMessage", [](Request& r, Profile&) { r.popo = Request::Popo::later; },
             "pop", PKIFailureInfo::badPOP},
            {"two requests", [](Request& r, Profile&) { r.count = 2; }, "request-count",
             PKIFailureInfo::badDataFormat},
            {"certReqId 1", [](Request& r, Profile&) { r.id = 1; }, "request-count",
             PKIFailureInfo::badDataFormat},
            {"no key",
             [](Request& r, Profile&) {
                 r.without_key = true;
                 r.popo = Request::Popo::absent;
             },
             "central-key-generation", PKIFailureInfo::badCertTemplate},
            {"no key, pvno 2",
             [](Request& r, Profile& p) {
                 r.without_key = true;
                 r.popo = Request::Popo::absent;
                 p.rules.central_key_generation = true;
             },
             "central-key-generation", PKIFailureInfo::unsupportedVersion},
            {"no key, allowed",
             [](Request& r, Profile& p) {
                 r.without_key = true;
                 r.popo = Request::Popo::absent;
                 p.rules.central_key_generation = true;
                 r.pvno = 3;
             },
             ""},
        };
        check_rows(rows);
    }

    TEST_CASE("what the certificate may say") {
        const Row rows[] = {
            {"own subject", [](Request&, Profile&) {}, ""},
            {"pattern",
             [](Request& r, Profile& p) {
                 p.rules.subjects = {NamePattern::parse("CN=${sender.CN},OU=Line 3,O=Example")};
                 r.subject = "CN=dev1,OU=Line 3,O=Example";
             },
             ""},
            {"dNSName listed",
             [](Request& r, Profile& p) {
                 p.rules.san_dns = {DnsPattern::parse("*.line3.example")};
                 r.extensions = san_dns("dev1.line3.example");
             },
             ""},
            {"iPAddress listed",
             [](Request& r, Profile& p) {
                 p.rules.san_ip = {IpRange::parse("192.0.2.0/24")};
                 r.extensions = san(7, Bytes{192, 0, 2, 9});
             },
             ""},
            {"EKU listed",
             [](Request& r, Profile& p) {
                 p.rules.eku = {asn1::parse_dotted("1.3.6.1.5.5.7.3.2")};
                 r.extensions = eku("1.3.6.1.5.5.7.3.2");
             },
             ""},
            {"keyUsage of a device",
             [](Request& r, Profile&) {
                 r.extensions = key_usage(kDigitalSignature | kKeyAgreement);
             },
             ""},
            {"basicConstraints, no CA",
             [](Request& r, Profile&) {
                 r.extensions = crypto::basic_constraints_extension(false);
             },
             ""},
            {"validity in bounds",
             [](Request& r, Profile& p) {
                 p.rules.max_validity = std::chrono::hours{24};
                 r.template_head = validity(kNow, kNow + std::chrono::hours{24});
             },
             ""},
            {"implicitConfirm", [](Request& r, Profile&) { r.implicit_confirm = true; }, ""},

            {"R-052: another's subject",
             [](Request& r, Profile&) { r.subject = "CN=dev2,O=Example"; }, "subject",
             PKIFailureInfo::notAuthorized},
            {"subject no pattern has",
             [](Request&, Profile& p) {
                 p.rules.subjects = {NamePattern::parse("CN=${sender.CN},OU=Line 3,O=Example")};
             },
             "subject", PKIFailureInfo::badCertTemplate},
            {"NULL-DN", [](Request& r, Profile&) { r.subject_der = Bytes{0x30, 0x00}; }, "subject",
             PKIFailureInfo::notAuthorized},
            {"dNSName not listed",
             [](Request& r, Profile& p) {
                 p.rules.san_dns = {DnsPattern::parse("*.line3.example")};
                 r.extensions = san_dns("dev1.line4.example");
             },
             "subject-alt-name", PKIFailureInfo::badCertTemplate},
            {"dNSName, none listed",
             [](Request& r, Profile&) { r.extensions = san_dns("dev1.line3.example"); },
             "subject-alt-name", PKIFailureInfo::badCertTemplate},
            {"dNSName with NUL",
             [](Request& r, Profile& p) {
                 p.rules.san_dns = {DnsPattern::parse("*.line3.example")};
                 r.extensions = san_dns(std::string_view("dev1\0.line3.example", 19));
             },
             "subject-alt-name", PKIFailureInfo::badCertTemplate},
            {"iPAddress outside",
             [](Request& r, Profile& p) {
                 p.rules.san_ip = {IpRange::parse("192.0.2.0/24")};
                 r.extensions = san(7, Bytes{192, 0, 3, 9});
             },
             "subject-alt-name", PKIFailureInfo::badCertTemplate},
            {"empty subjectAltName",
             [](Request& r, Profile&) { r.extensions = extension(kSan, Bytes{0x30, 0x00}); },
             "subject-alt-name", PKIFailureInfo::badCertTemplate},
            {"R-162: cmcRA",
             [](Request& r, Profile& p) {
                 p.rules.eku = {asn1::parse_dotted("1.3.6.1.5.5.7.3.2")};
                 r.extensions = eku("1.3.6.1.5.5.7.3.28");
             },
             "extended-key-usage", PKIFailureInfo::badCertTemplate},
            {"R-162: cmcCA", [](Request& r, Profile&) { r.extensions = eku("1.3.6.1.5.5.7.3.27"); },
             "extended-key-usage", PKIFailureInfo::badCertTemplate},
            {"R-162: cmKGA", [](Request& r, Profile&) { r.extensions = eku("1.3.6.1.5.5.7.3.32"); },
             "extended-key-usage", PKIFailureInfo::badCertTemplate},
            {"anyExtendedKeyUsage", [](Request& r, Profile&) { r.extensions = eku("2.5.29.37.0"); },
             "extended-key-usage", PKIFailureInfo::badCertTemplate},
            {"keyCertSign",
             [](Request& r, Profile&) {
                 r.extensions = key_usage(kDigitalSignature | kKeyCertSign);
             },
             "key-usage", PKIFailureInfo::badCertTemplate},
            {"CA",
             [](Request& r, Profile&) { r.extensions = crypto::basic_constraints_extension(true); },
             "basic-constraints", PKIFailureInfo::badCertTemplate},
            {"key of another kind",
             [](Request&, Profile& p) {
                 p.rules.keys = {KeyPattern::parse("ec:P-384"), KeyPattern::parse("rsa>=3072")};
             },
             "key", PKIFailureInfo::badCertTemplate},
            {"no keys listed", [](Request&, Profile& p) { p.rules.keys.clear(); }, "key",
             PKIFailureInfo::badCertTemplate},
            {"valid too long",
             [](Request& r, Profile& p) {
                 p.rules.max_validity = std::chrono::hours{24};
                 r.template_head = validity(kNow, kNow + std::chrono::hours{25});
             },
             "validity", PKIFailureInfo::badCertTemplate},
            {"valid too long from now",
             [](Request& r, Profile& p) {
                 p.rules.max_validity = std::chrono::hours{24};
                 r.template_head = validity({}, kNow + std::chrono::hours{25});
             },
             "validity", PKIFailureInfo::badCertTemplate},
            {"over already", [](Request& r, Profile&) { r.template_head = validity({}, kNow); },
             "validity", PKIFailureInfo::badCertTemplate},
            {"backdated",
             [](Request& r, Profile&) {
                 r.template_head = validity(kNow - std::chrono::hours{25}, {});
             },
             "validity", PKIFailureInfo::badCertTemplate},
            {"implicitConfirm forbidden",
             [](Request& r, Profile& p) {
                 r.implicit_confirm = true;
                 p.rules.implicit_confirm = false;
             },
             "implicit-confirm", PKIFailureInfo::unacceptedPolicy},
        };
        check_rows(rows);
    }

    TEST_CASE("explain says every rule's verdict, decide the first refusal") {
        Request request;
        request.subject = "CN=dev2,O=Example";
        request.extensions = crypto::basic_constraints_extension(true);
        const auto got = proven(message_of(request), device_profile());
        REQUIRE(got.has_value());
        const auto verdicts = explain(*got, kNow);
        CHECK(verdicts.size() == rules().size());
        std::vector<std::string> refused;
        for (const RuleVerdict& one : verdicts) {
            if (std::holds_alternative<Refuse>(one.decision)) refused.emplace_back(one.rule);
        }
        CHECK(refused == std::vector<std::string>{"subject", "basic-constraints"});
        check(decide(*got, kNow), "subject", PKIFailureInfo::notAuthorized);
    }

    TEST_CASE("rules are named once, in kebab-case, and refuse by their own name") {
        std::vector<std::string> names;
        for (const NamedRule& rule : rules()) {
            const std::string name(rule.name);
            CAPTURE(name);
            CHECK(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz-") == std::string::npos);
            CHECK(std::find(names.begin(), names.end(), name) == names.end());
            names.push_back(name);
        }
    }
}
