#include "ra/asn1/certificate.h"

namespace ra::asn1 {
namespace {

/// Extensions ::= SEQUENCE SIZE (1..MAX) OF Extension, inside [3] EXPLICIT; each OID once.
Result<ByteView> check_extensions(DerReader explicit_tag) {
    RA_TRY(const ByteView list, explicit_tag.read(Tag::sequence, "extensions"));
    RA_TRY_VOID(explicit_tag.expect_end("extensions"));
    DerReader items = explicit_tag.inside(list);
    unsigned count = 0;
    while (!items.at_end()) {
        const std::size_t at = items.offset();
        RA_TRY(const Extension one, read_extension(items, Defaults::may_be_encoded));
        DerReader seen = explicit_tag.inside(list);
        for (unsigned i = 0; i < count; ++i) {
            RA_TRY(const Extension other, read_extension(seen, Defaults::may_be_encoded));
            if (equal(other.id, one.id)) return fail(Errc::duplicate, "extension", at);
        }
        ++count;
    }
    return list;
}

Result<void> read_validity(DerReader& reader, CertificateView& view) {
    RA_TRY(const ByteView validity, reader.read(Tag::sequence, "validity"));
    DerReader times = reader.inside(validity);
    RA_TRY(const Tlv not_before, times.read_any("notBefore"));
    RA_TRY(view.not_before, parse_time(not_before, "notBefore"));
    RA_TRY(const Tlv not_after, times.read_any("notAfter"));
    RA_TRY(view.not_after, parse_time(not_after, "notAfter"));
    return times.expect_end("validity");
}

/// TBSCertificate ::= SEQUENCE { version [0] EXPLICIT Version DEFAULT v1, serialNumber
/// CertificateSerialNumber,
///   signature AlgorithmIdentifier, issuer Name, validity Validity, subject Name,
///   subjectPublicKeyInfo SubjectPublicKeyInfo, issuerUniqueID [1] IMPLICIT UniqueIdentifier
///   OPTIONAL, subjectUniqueID [2] IMPLICIT UniqueIdentifier OPTIONAL, extensions [3] EXPLICIT
///   Extensions OPTIONAL }
Result<void> read_tbs(DerReader reader, CertificateView& view) {
    view.version = 1;
    RA_TRY(const auto version, reader.read_optional(context(0), "version"));
    if (version) {
        DerReader inner = reader.inside(*version);
        RA_TRY(const std::uint64_t number, inner.read_unsigned("version", 2));
        view.version = static_cast<unsigned>(number) + 1;
        RA_TRY_VOID(inner.expect_end("version"));
    }
    RA_TRY(view.serial, reader.read_big_integer("serialNumber"));
    const std::size_t at = reader.offset();
    RA_TRY(const Tlv signature, reader.read_tlv(Tag::sequence, "signature"));
    if (!equal(signature.whole, view.signature_alg)) return fail(Errc::bad_value, "signature", at);
    RA_TRY(const Tlv issuer, reader.read_tlv(Tag::sequence, "issuer"));
    view.issuer = issuer.whole;
    RA_TRY_VOID(read_validity(reader, view));
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
        RA_TRY(view.extensions, check_extensions(reader.inside(*extensions)));
    }
    return reader.expect_end("tbsCertificate");
}

}  // namespace

Result<Extension> read_extension(DerReader& extensions, Defaults defaults) {
    DerReader ahead = extensions;
    RA_TRY(const ByteView content, ahead.read(Tag::sequence, "extension"));
    DerReader item = ahead.inside(content);
    Extension one;
    RA_TRY(one.id, item.read_oid("extnID"));
    if (item.peek() == Tag::boolean) {
        const std::size_t at = item.offset();
        RA_TRY(one.critical, item.read_boolean("critical"));
        if (!one.critical && defaults == Defaults::omitted)
            return fail(Errc::bad_value, "critical", at);
    }
    RA_TRY(one.value, item.read(Tag::octet_string, "extnValue"));
    RA_TRY_VOID(item.expect_end("extension"));
    extensions = ahead;
    return one;
}

std::optional<ByteView> CertificateView::extension(ByteView id) const noexcept {
    DerReader items{extensions};
    while (!items.at_end()) {
        const auto one = read_extension(items, Defaults::may_be_encoded);
        if (!one) return std::nullopt;
        if (equal(one->id, id)) return one->value;
    }
    return std::nullopt;
}

Result<CertificateView> parse_certificate(ByteView der) {
    CertificateView view{};
    view.whole = der;
    DerReader outer{der};
    RA_TRY(const ByteView content, outer.read(Tag::sequence, "certificate"));
    RA_TRY_VOID(outer.expect_end("certificate"));
    DerReader reader = outer.inside(content);
    RA_TRY(const Tlv tbs, reader.read_tlv(Tag::sequence, "tbsCertificate"));
    view.tbs = tbs.whole;
    RA_TRY(const Tlv algorithm, reader.read_tlv(Tag::sequence, "signatureAlgorithm"));
    view.signature_alg = algorithm.whole;
    RA_TRY(view.signature, reader.read_bit_string("signatureValue"));
    RA_TRY_VOID(reader.expect_end("certificate"));
    RA_TRY_VOID(read_tbs(outer.inside(content).inside(tbs.content), view));
    return view;
}

}  // namespace ra::asn1
