#include "policy/rules.h"

#include "policy/extension_values.h"
#include "tests/policy/support.h"

using namespace policy_test;

namespace {

struct Row {
    const char* name;
    std::function<void(Request&, Profile&)> change;
    const char* rule;
    PKIFailureInfo info{};
};

void check_rows(std::span<const Row> rows) {
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Request request;
        Profile profile = device_profile();
        row.change(request, profile);
        check(judged(message_of(request), profile), row.rule, row.info);
    }
}

Bytes oid_tlv(std::string_view dotted) { return tlv(Tag::oid, asn1::parse_dotted(dotted)); }

/// CertId TLV of a certificate.
Bytes cert_id(const crypto::Certificate& named) {
    DerWriter writer;
    {
        const auto all = writer.open(Tag::sequence);
        writer.raw(cmp::general_name(named.view().issuer));
        writer.big_integer(named.view().serial);
    }
    return std::move(writer).take();
}

Bytes template_time(unsigned number, ra::WallTime time) {
    const std::string text = asn1::generalized_time(time);
    return tlv(asn1::context(number), tlv(Tag::generalized_time, ra::as_bytes(text)));
}
Bytes validity(std::optional<ra::WallTime> from, std::optional<ra::WallTime> until) {
    Bytes content;
    if (from) ra::append(content, template_time(0, *from));
    if (until) ra::append(content, template_time(1, *until));
    return tlv(asn1::context(4), content);
}

Bytes key_usage(std::uint16_t bits) { return crypto::key_usage_extension(bits); }
Bytes eku(std::string_view dotted) {
    return crypto::ext_key_usage_extension({asn1::parse_dotted(dotted)});
}

const asn1::Oid kPolicies = asn1::oid("2.5.29.32");
const asn1::Oid kRegToken = asn1::oid("1.3.6.1.5.5.7.5.1.1");
const asn1::Oid kUtf8Pairs = asn1::oid("1.3.6.1.5.5.7.5.2.1");

}  // namespace

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

    TEST_CASE("S-15: every OPTIONAL of a request is judged or refused") {
        const auto integer = [](unsigned tag, std::uint8_t value) {
            return Bytes{static_cast<std::uint8_t>(0x80U | tag), 1, value};
        };
        const Bytes own_issuer =
            tlv(asn1::context(3), Pki::get().device.certificate->view().issuer);
        const Bytes algorithm_content = tlv(Tag::oid, asn1::parse_dotted("1.2.840.10045.4.3.2"));
        const Bytes uid{0x87, 2, 0, 1}, subject_uid{0x88, 2, 0, 1};
        const Bytes token = pair(kRegToken.view(), tlv(Tag::utf8_string, ra::as_bytes("t")));
        const Bytes pairs = pair(kUtf8Pairs.view(), tlv(Tag::utf8_string, ra::as_bytes("a?b%")));
        const Bytes cert_req =
            pair(oid::kRegInfoCertReq.view(), cmp::build_cert_request(0, Bytes{0x30, 0x00}));
        const Bytes alternative = pair(cmp::oid::kAltCertTemplate.view(), Bytes{0x30, 0x00});
        const Bytes old_id =
            pair(cmp::oid::kOldCertId.view(), cert_id(*Pki::get().device.certificate));
        const Bytes policies = extension(kPolicies, Bytes{0x30, 0x00});
        const Bytes directory = san(4, crypto::name_of("CN=victim"));
        const Bytes other_name = [] {
            DerWriter writer;
            {
                const auto names = writer.open(Tag::sequence);
                writer.tlv(asn1::context(0), oid_tlv("1.2.3"));
            }
            return extension(kSan, writer.view());
        }();
        const auto list_all = [](Profile& p) {
            for (const asn1::Oid* one : {&cmp::oid::kAltCertTemplate, &kRegToken})
                p.rules.controls.push_back(ra::to_bytes(one->view()));
            for (const asn1::Oid* one : {&oid::kRegInfoCertReq, &kUtf8Pairs})
                p.rules.reg_info.push_back(ra::to_bytes(one->view()));
            p.rules.extensions = {ra::to_bytes(kPolicies.view()), ra::to_bytes(kSan.view())};
        };
        const Row rows[] = {
            // CertTemplate, tags 0 to 9
            {"version 2", [&](Request& r, Profile&) { r.template_head = integer(0, 2); }, ""},
            {"version 0", [&](Request& r, Profile&) { r.template_head = integer(0, 0); },
             "template-field", PKIFailureInfo::badCertTemplate},
            {"serialNumber", [&](Request& r, Profile&) { r.template_head = integer(1, 7); },
             "template-field", PKIFailureInfo::badCertTemplate},
            {"signingAlg",
             [&](Request& r, Profile&) {
                 r.template_head = tlv(asn1::context(2), algorithm_content);
             },
             "template-field", PKIFailureInfo::badCertTemplate},
            {"issuer", [&](Request& r, Profile&) { r.template_head = own_issuer; }, "issuer",
             PKIFailureInfo::wrongAuthority},
            {"issuer listed",
             [&](Request& r, Profile& p) {
                 r.template_head = own_issuer;
                 p.rules.issuers = {NamePattern::parse("CN=Device Root,O=Example")};
             },
             ""},
            {"validity",
             [&](Request& r, Profile&) { r.template_head = validity({}, kNow - kYear); },
             "validity", PKIFailureInfo::badCertTemplate},
            {"no subject",
             [&](Request& r, Profile& p) {
                 r.without_subject = true;
                 r.popo = Request::Popo::absent;
                 p.pop = Pop::optional;
             },
             "subject", PKIFailureInfo::badCertTemplate},
            {"issuerUID", [&](Request& r, Profile&) { r.template_uids = uid; }, "template-field",
             PKIFailureInfo::badCertTemplate},
            {"subjectUID", [&](Request& r, Profile&) { r.template_uids = subject_uid; },
             "template-field", PKIFailureInfo::badCertTemplate},
            {"unlisted extension", [&](Request& r, Profile&) { r.extensions = policies; },
             "unlisted-element", PKIFailureInfo::unacceptedExtension},
            {"listed extension",
             [&](Request& r, Profile& p) {
                 r.extensions = policies;
                 list_all(p);
             },
             ""},
            // subjectAltName types without a list
            {"directoryName", [&](Request& r, Profile&) { r.extensions = directory; },
             "unlisted-element", PKIFailureInfo::badCertTemplate},
            {"otherName", [&](Request& r, Profile&) { r.extensions = other_name; },
             "unlisted-element", PKIFailureInfo::badCertTemplate},
            {"registeredID",
             [&](Request& r, Profile&) { r.extensions = san(8, Bytes{0x2a, 0x03}); },
             "unlisted-element", PKIFailureInfo::badCertTemplate},
            {"directoryName, SAN listed as extension",
             [&](Request& r, Profile& p) {
                 r.extensions = directory;
                 list_all(p);
             },
             "unlisted-element", PKIFailureInfo::badCertTemplate},
            {"dNSName, SAN listed as extension",
             [&](Request& r, Profile& p) {
                 r.extensions = san_dns("x.example");
                 list_all(p);
             },
             "subject-alt-name", PKIFailureInfo::badCertTemplate},
            // controls
            {"regToken", [&](Request& r, Profile&) { r.controls = token; }, "unlisted-element",
             PKIFailureInfo::badCertTemplate},
            {"regToken listed",
             [&](Request& r, Profile& p) {
                 r.controls = token;
                 list_all(p);
             },
             ""},
            {"oldCertID in ir", [&](Request& r, Profile&) { r.controls = old_id; },
             "unlisted-element", PKIFailureInfo::badCertTemplate},
            {"altCertTemplate", [&](Request& r, Profile&) { r.controls = alternative; },
             "unlisted-element", PKIFailureInfo::badCertTemplate},
            {"altCertTemplate, even if listed",
             [&](Request& r, Profile& p) {
                 r.controls = alternative;
                 list_all(p);
             },
             "unlisted-element", PKIFailureInfo::badCertTemplate},
            // regInfo
            {"utf8Pairs", [&](Request& r, Profile&) { r.reg_info = pairs; }, "unlisted-element",
             PKIFailureInfo::badCertTemplate},
            {"utf8Pairs listed",
             [&](Request& r, Profile& p) {
                 r.reg_info = pairs;
                 list_all(p);
             },
             ""},
            {"regInfo certReq, even if listed",
             [&](Request& r, Profile& p) {
                 r.reg_info = cert_req;
                 list_all(p);
             },
             "unlisted-element", PKIFailureInfo::badCertTemplate},
            // generalInfo
            {"confirmWaitTime",
             [&](Request& r, Profile&) {
                 r.general_info = pair(cmp::oid::kConfirmWaitTime.view(),
                                       tlv(Tag::generalized_time, ra::as_bytes("20300101000000Z")));
             },
             ""},
            {"origPKIMessage",
             [&](Request& r, Profile&) {
                 r.general_info = pair(cmp::oid::kOrigPKIMessage.view(), Bytes{0x30, 0x00});
             },
             "unlisted-element", PKIFailureInfo::badRequest},
            {"revPassphrase",
             [&](Request& r, Profile&) {
                 r.general_info = pair(cmp::oid::kRevPassphrase.view(), Bytes{0x30, 0x00});
             },
             "unlisted-element", PKIFailureInfo::badRequest},
            {"unknown generalInfo",
             [&](Request& r, Profile&) {
                 r.general_info = pair(asn1::parse_dotted("1.2.3"), Bytes{0x05, 0x00});
             },
             "unlisted-element", PKIFailureInfo::badRequest},
            {"unknown generalInfo, listed",
             [&](Request& r, Profile& p) {
                 r.general_info = pair(asn1::parse_dotted("1.2.3"), Bytes{0x05, 0x00});
                 p.rules.general_info = {asn1::parse_dotted("1.2.3")};
             },
             ""},
        };
        check_rows(rows);
    }

    TEST_CASE("S-15: bodies no rule looks at are not relayed for verified senders") {
        for (const BodyType type : {BodyType::krr, BodyType::ccr, BodyType::nested}) {
            CAPTURE(to_string(type));
            Request request;
            request.type = type;
            if (type == BodyType::nested) {
                DerWriter body;
                {
                    const auto outer = body.open(asn1::context(20));
                    const auto list = body.open(Tag::sequence);
                    body.raw(message_of({}));
                }
                request.body = std::move(body).take();
            }
            Profile profile = device_profile();
            profile.match.operations.set();
            check(judged(message_of(request), profile), "body-not-judged",
                  PKIFailureInfo::badRequest);
        }
    }

    TEST_CASE("kur updates the certificate that protects it (R-145)") {
        const Pki& pki = Pki::get();
        const auto kur = [](std::function<void(Request&, Profile&)> change) {
            return [change = std::move(change)](Request& r, Profile& p) {
                r.type = BodyType::kur;
                p.rules.subjects = {NamePattern::parse("*")};
                change(r, p);
            };
        };
        const Bytes own = pair(cmp::oid::kOldCertId.view(), cert_id(*pki.device.certificate));
        const Bytes others = pair(cmp::oid::kOldCertId.view(), cert_id(*pki.other.certificate));
        const Bytes junk = pair(cmp::oid::kOldCertId.view(), Bytes{0x30, 0x00});
        const Row rows[] = {
            {"without oldCertID", kur([](Request&, Profile&) {}), ""},
            {"oldCertID", kur([&](Request& r, Profile&) { r.controls = own; }), ""},
            {"issuer as before", kur([&](Request& r, Profile&) {
                 r.template_head = tlv(asn1::context(3), pki.device.certificate->view().issuer);
             }),
             ""},
            {"oldCertID of another", kur([&](Request& r, Profile&) { r.controls = others; }),
             "old-cert-id", PKIFailureInfo::badCertId},
            {"oldCertID malformed", kur([&](Request& r, Profile&) { r.controls = junk; }),
             "old-cert-id", PKIFailureInfo::badDataFormat},
            {"another subject", kur([&](Request& r, Profile&) { r.subject = "CN=dev2,O=Example"; }),
             "kur-names", PKIFailureInfo::badCertTemplate},
            {"a subjectAltName it never had", kur([&](Request& r, Profile& p) {
                 p.rules.san_dns = {DnsPattern::parse("*")};
                 r.extensions = san_dns("x");
             }),
             "kur-names", PKIFailureInfo::badCertTemplate},
        };
        check_rows(rows);
    }

    TEST_CASE("rr: the own certificate, or authority (R-143, S-11)") {
        const Pki& pki = Pki::get();
        const auto rr = [](const crypto::Certificate& named, int reason) {
            return cmp::build_rev_req_body(named.view().issuer, named.view().serial, reason);
        };
        const Bytes own = rr(*pki.device.certificate, 1), others = rr(*pki.other.certificate, 1);
        const Bytes wrong_issuer = cmp::build_rev_req_body(
            pki.ra.certificate->view().issuer, pki.device.certificate->view().serial, 1);
        const auto with_ra = [&](Profile& p) { p.ra.trust = pki.ras.trust; };
        const Row rows[] = {
            {"own", [&](Request& r, Profile&) { r.body = own; }, ""},
            {"own, reason 0",
             [&](Request& r, Profile&) { r.body = rr(*pki.device.certificate, 0); }, ""},
            {"the RA",
             [&](Request& r, Profile& p) {
                 r.body = others;
                 r.by = &pki.ra;
                 with_ra(p);
                 p.ra.rr_for_others = true;
             },
             ""},
            {"a listed sender",
             [&](Request& r, Profile& p) {
                 r.body = others;
                 p.rules.rr_senders = {NamePattern::parse("CN=dev1,O=Example")};
             },
             ""},
            {"another's", [&](Request& r, Profile&) { r.body = others; }, "revocation",
             PKIFailureInfo::notAuthorized},
            {"same serial, other issuer", [&](Request& r, Profile&) { r.body = wrong_issuer; },
             "revocation", PKIFailureInfo::notAuthorized},
            {"the RA without that right",
             [&](Request& r, Profile& p) {
                 r.body = others;
                 r.by = &pki.ra;
                 with_ra(p);
             },
             "revocation", PKIFailureInfo::notAuthorized},
            {"a device with cmcRA",
             [&](Request& r, Profile& p) {
                 r.body = others;
                 r.by = &pki.posing;
                 with_ra(p);
                 p.ra.rr_for_others = true;
             },
             "revocation", PKIFailureInfo::notAuthorized},
            {"an unlisted sender",
             [&](Request& r, Profile& p) {
                 r.body = others;
                 p.rules.rr_senders = {NamePattern::parse("CN=dev7,O=Example")};
             },
             "revocation", PKIFailureInfo::notAuthorized},
            {"reason not permitted",
             [&](Request& r, Profile& p) {
                 r.body = own;
                 p.rules.rr_reasons.reset(1);
             },
             "revocation", PKIFailureInfo::badRequest},
        };
        check_rows(rows);
    }

    TEST_CASE("genm kinds") {
        const auto genm = [](const asn1::Oid& type) { return cmp::build_genm_body(type.view()); };
        const asn1::Oid unknown = asn1::oid("1.2.3.4");
        const Row rows[] = {
            {"caCerts", [&](Request& r, Profile&) { r.body = genm(cmp::oid::kCaCerts); }, ""},
            {"listed",
             [&](Request& r, Profile& p) {
                 r.body = genm(unknown);
                 p.rules.genm_kinds = {ra::to_bytes(unknown.view())};
             },
             ""},
            {"unlisted", [&](Request& r, Profile&) { r.body = genm(unknown); }, "genm-kind",
             PKIFailureInfo::badRequest},
            {"implicitConfirm",
             [&](Request& r, Profile&) {
                 r.body = genm(cmp::oid::kCaCerts);
                 r.implicit_confirm = true;
             },
             "implicit-confirm", PKIFailureInfo::badRequest},
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
