#include "policy/extension_values.h"
#include "tests/policy/rows.h"

using namespace policy_test;

TEST_SUITE("policy") {
    TEST_CASE("S-15: every OPTIONAL of a request is judged or refused") {
        const auto integer = [](unsigned tag, std::uint8_t value) {
            return Bytes{static_cast<std::uint8_t>(0x80U | tag), 1, value};
        };
        const Bytes own_issuer =
            tlv(asn1::context(3), Pki::get().device.certificate->view().issuer);
        const Bytes other_issuer =
            tlv(asn1::context(3), crypto::name_of("CN=Foreign Root,O=Elsewhere"));
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
            {"CertTemplate.version: 2",
             [&](Request& r, Profile&) { r.template_head = integer(0, 2); }, ""},
            {"CertTemplate.version: 0",
             [&](Request& r, Profile&) { r.template_head = integer(0, 0); }, "template-field",
             PKIFailureInfo::badCertTemplate},
            {"CertTemplate.serialNumber",
             [&](Request& r, Profile&) { r.template_head = integer(1, 7); }, "template-field",
             PKIFailureInfo::badCertTemplate},
            {"CertTemplate.signingAlg",
             [&](Request& r, Profile&) {
                 r.template_head = tlv(asn1::context(2), algorithm_content);
             },
             "template-field", PKIFailureInfo::badCertTemplate},
            {"CertTemplate.issuer: of the sender's certificate",
             [&](Request& r, Profile&) { r.template_head = own_issuer; }, ""},
            {"CertTemplate.issuer: another",
             [&](Request& r, Profile&) { r.template_head = other_issuer; }, "issuer",
             PKIFailureInfo::wrongAuthority},
            {"CertTemplate.issuer: another, listed",
             [&](Request& r, Profile& p) {
                 r.template_head = other_issuer;
                 p.rules.issuers = {NamePattern::parse("CN=Foreign Root,O=Elsewhere")};
             },
             ""},
            {"CertTemplate.validity: over",
             [&](Request& r, Profile&) { r.template_head = validity({}, kNow - kYear); },
             "validity", PKIFailureInfo::badCertTemplate},
            {"CertTemplate.subject: absent",
             [&](Request& r, Profile& p) {
                 r.without_subject = true;
                 r.popo = Request::Popo::absent;
                 p.pop = Pop::optional;
             },
             "subject", PKIFailureInfo::badCertTemplate},
            {"CertTemplate.issuerUID", [&](Request& r, Profile&) { r.template_uids = uid; },
             "template-field", PKIFailureInfo::badCertTemplate},
            {"CertTemplate.subjectUID",
             [&](Request& r, Profile&) { r.template_uids = subject_uid; }, "template-field",
             PKIFailureInfo::badCertTemplate},
            {"CertTemplate.extensions: unlisted",
             [&](Request& r, Profile&) { r.extensions = policies; }, "unlisted-element",
             PKIFailureInfo::unacceptedExtension},
            {"CertTemplate.extensions: listed",
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
            {"CertRequest.controls: regToken", [&](Request& r, Profile&) { r.controls = token; },
             "unlisted-element", PKIFailureInfo::badCertTemplate},
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
            {"CertReqMsg.regInfo: utf8Pairs", [&](Request& r, Profile&) { r.reg_info = pairs; },
             "unlisted-element", PKIFailureInfo::badCertTemplate},
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
}
