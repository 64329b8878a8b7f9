#include "policy/extension_values.h"
#include "tests/policy/rows.h"

/// The OPTIONALs of PKCS #10 and RevDetails, beside those of CRMF in elements_test.cpp.

using namespace policy_test;

namespace {

Bytes attribute(ByteView type, ByteView value) {
    DerWriter writer;
    {
        const auto all = writer.open(Tag::sequence);
        writer.oid(type);
        writer.tlv(Tag::set, value);
    }
    return std::move(writer).take();
}

/// p10cr body with these Attribute TLVs, signed by the key it asks for.
Bytes p10cr(ByteView attributes, bool good_signature = true) {
    const crypto::PrivateKey& key = *Pki::get().new_key;
    DerWriter info;
    {
        const auto all = info.open(Tag::sequence);
        info.integer(0);
        info.raw(crypto::name_of("CN=dev1,O=Example"));
        info.raw(key.spki());
        info.tlv(asn1::context(0), attributes);
    }
    Bytes signature = key.sign(info.view()).value();
    if (!good_signature) signature = key.sign(Bytes(4, 1)).value();
    DerWriter body;
    {
        const auto outer = body.open(asn1::context(4));
        const auto request = body.open(Tag::sequence);
        body.raw(info.view());
        body.raw(key.algorithm());
        body.bit_string(signature);
    }
    return std::move(body).take();
}

/// rr body for the device's own certificate, with more template fields and crlEntryDetails.
Bytes rr(ByteView fields_after_issuer, ByteView crl_entry_details) {
    const asn1::CertificateView& own = Pki::get().device.certificate->view();
    DerWriter body;
    {
        const auto outer = body.open(asn1::context(11));
        const auto list = body.open(Tag::sequence);
        const auto details = body.open(Tag::sequence);
        {
            const auto named = body.open(Tag::sequence);
            body.tlv(asn1::context_primitive(1), own.serial);
            body.tlv(asn1::context(3), own.issuer);
            body.raw(fields_after_issuer);
        }
        if (!crl_entry_details.empty()) body.tlv(Tag::sequence, crl_entry_details);
    }
    return std::move(body).take();
}

}  // namespace

TEST_SUITE("policy") {
    TEST_CASE("S-15: every PKCS #10 attribute is judged or refused") {
        const asn1::Oid challenge = asn1::oid("1.2.840.113549.1.9.7");
        const Bytes password =
            attribute(challenge.view(), tlv(Tag::utf8_string, ra::as_bytes("x")));
        const auto wanting = [](const asn1::Oid& type, ByteView extensions) {
            return attribute(type.view(), tlv(Tag::sequence, extensions));
        };
        const Bytes names = wanting(cmp::oid::kExtensionRequest, san_dns("a.x"));
        const Bytes hidden = wanting(oid::kMsExtensionRequest, san_dns("a.x"));
        const Bytes authority =
            wanting(cmp::oid::kExtensionRequest, crypto::basic_constraints_extension(true));
        const auto list = [](Profile& p, const asn1::Oid& type) {
            p.rules.attributes.push_back(ra::to_bytes(type.view()));
        };
        const Row rows[] = {
            {"none", [](Request& r, Profile&) { r.body = p10cr({}); }, ""},
            {"listed",
             [&](Request& r, Profile& p) {
                 r.body = p10cr(password);
                 list(p, challenge);
             },
             ""},
            {"subjectAltName listed",
             [&](Request& r, Profile& p) {
                 r.body = p10cr(names);
                 p.rules.san_dns = {DnsPattern::parse("*.x")};
             },
             ""},
            {"CertificationRequestInfo.attributes: challengePassword",
             [&](Request& r, Profile&) { r.body = p10cr(password); }, "unlisted-element",
             PKIFailureInfo::badCertTemplate},
            {"subjectAltName", [&](Request& r, Profile&) { r.body = p10cr(names); },
             "subject-alt-name", PKIFailureInfo::badCertTemplate},
            {"CA", [&](Request& r, Profile&) { r.body = p10cr(authority); }, "basic-constraints",
             PKIFailureInfo::badCertTemplate},
            {"Microsoft's extension request, even if listed",
             [&](Request& r, Profile& p) {
                 r.body = p10cr(hidden);
                 list(p, oid::kMsExtensionRequest);
             },
             "unlisted-element", PKIFailureInfo::badCertTemplate},
            {"self-signature of something else",
             [](Request& r, Profile&) { r.body = p10cr({}, false); }, "pop",
             PKIFailureInfo::badPOP},
        };
        check_rows(rows);
    }

    TEST_CASE("S-15: every OPTIONAL of RevDetails is judged or refused") {
        const Bytes subject = tlv(asn1::context(5), crypto::name_of("CN=dev1,O=Example"));
        const Bytes extensions = tlv(asn1::context(9), crypto::basic_constraints_extension(false));
        const auto reason = [](std::uint8_t value) {
            return extension(oid::kReasonCode, Bytes{0x0a, 0x01, value});
        };
        const Bytes invalidity = extension(
            asn1::oid("2.5.29.24"), tlv(Tag::generalized_time, ra::as_bytes("20260101000000Z")));
        const Row rows[] = {
            {"name only", [](Request& r, Profile&) { r.body = rr({}, {}); }, ""},
            {"RevDetails.crlEntryDetails: reasonCode",
             [&](Request& r, Profile&) { r.body = rr({}, reason(4)); }, ""},
            {"RevDetails.crlEntryDetails: invalidityDate",
             [&](Request& r, Profile&) { r.body = rr({}, invalidity); }, "unlisted-element",
             PKIFailureInfo::unacceptedExtension},
            {"subject", [&](Request& r, Profile&) { r.body = rr(subject, {}); }, "template-field",
             PKIFailureInfo::badCertTemplate},
            {"extensions", [&](Request& r, Profile&) { r.body = rr(extensions, {}); },
             "template-field", PKIFailureInfo::badCertTemplate},
        };
        check_rows(rows);
    }
}
