#include "ra/asn1/certificate.h"

#include <algorithm>

#include "ra/asn1/time.h"

namespace ra::asn1 {
namespace {

/// Extensions ::= SEQUENCE SIZE (1..MAX) OF Extension, inside [3]
Result<std::vector<CertificateExtension>> parse_extensions(DerReader reader) {
    std::vector<CertificateExtension> all;
    RA_TRY(const ByteView list, reader.read(Tag::sequence, "extensions"));
    RA_TRY_VOID(reader.expect_end("extensions"));
    DerReader items = reader.inside(list);
    while (!items.at_end()) {
        RA_TRY(const ByteView content, items.read(Tag::sequence, "extension"));
        DerReader item = items.inside(content);
        CertificateExtension one;
        RA_TRY(one.id, item.read_oid("extnID"));
        if (item.peek() == Tag::boolean) {
            RA_TRY(one.critical, item.read_boolean("critical"));
        }
        RA_TRY(one.value, item.read(Tag::octet_string, "extnValue"));
        RA_TRY_VOID(item.expect_end("extension"));
        const auto same = [&one](const CertificateExtension& other) { return equal(other.id, one.id); };
        if (std::any_of(all.begin(), all.end(), same)) return fail(Errc::duplicate, "extension", items.offset());
        all.push_back(one);
    }
    return all;
}

/// TBSCertificate ::= SEQUENCE { version [0] EXPLICIT DEFAULT v1, serialNumber, signature, issuer, validity, subject,
///   subjectPublicKeyInfo, issuerUniqueID [1] OPTIONAL, subjectUniqueID [2] OPTIONAL, extensions [3] OPTIONAL }
Result<void> parse_tbs(DerReader reader, CertificateView& view) {
    RA_TRY(const auto version, reader.read_optional(context(0), "version"));
    static_cast<void>(version);
    RA_TRY(view.serial, reader.read_big_integer("serialNumber"));
    RA_TRY(const Tlv signature, reader.read_tlv(Tag::sequence, "signature"));
    static_cast<void>(signature);
    RA_TRY(const Tlv issuer, reader.read_tlv(Tag::sequence, "issuer"));
    view.issuer = issuer.whole;
    RA_TRY(const ByteView validity, reader.read(Tag::sequence, "validity"));
    DerReader times = reader.inside(validity);
    RA_TRY(const Tlv not_before, times.read_any("notBefore"));
    RA_TRY(view.not_before, parse_time(not_before, "notBefore"));
    RA_TRY(const Tlv not_after, times.read_any("notAfter"));
    RA_TRY(view.not_after, parse_time(not_after, "notAfter"));
    RA_TRY_VOID(times.expect_end("validity"));
    RA_TRY(const Tlv subject, reader.read_tlv(Tag::sequence, "subject"));
    view.subject = subject.whole;
    RA_TRY(const Tlv spki, reader.read_tlv(Tag::sequence, "subjectPublicKeyInfo"));
    view.spki = spki.whole;
    for (const unsigned unique_id : {1U, 2U}) {
        RA_TRY(const auto id, reader.read_optional(context_primitive(unique_id), "uniqueID"));
        static_cast<void>(id);
    }
    RA_TRY(const auto extensions, reader.read_optional(context(3), "extensions"));
    if (extensions) {
        RA_TRY(view.extensions, parse_extensions(reader.inside(*extensions)));
    }
    return reader.expect_end("tbsCertificate");
}

}  // namespace

std::optional<ByteView> CertificateView::extension(ByteView id) const noexcept {
    for (const CertificateExtension& one : extensions) {
        if (equal(one.id, id)) return one.value;
    }
    return std::nullopt;
}

Result<CertificateView> parse_certificate(ByteView der) {
    CertificateView view;
    view.whole = der;
    DerReader outer{der};
    RA_TRY(const ByteView content, outer.read(Tag::sequence, "certificate"));
    RA_TRY_VOID(outer.expect_end("certificate"));
    DerReader reader = outer.inside(content);
    RA_TRY(const Tlv tbs, reader.read_tlv(Tag::sequence, "tbsCertificate"));
    view.tbs = tbs.whole;
    RA_TRY(const Tlv algorithm, reader.read_tlv(Tag::sequence, "signatureAlgorithm"));
    view.signature_algorithm = algorithm.whole;
    RA_TRY(view.signature, reader.read_bit_string("signatureValue"));
    RA_TRY_VOID(reader.expect_end("certificate"));
    RA_TRY_VOID(parse_tbs(reader.inside(tbs.content), view));
    return view;
}

}  // namespace ra::asn1
