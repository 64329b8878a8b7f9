#include "tests/policy/rows.h"

using namespace policy_test;

TEST_SUITE("policy") {
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
}
