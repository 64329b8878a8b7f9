#include "ra/cmp/fields.h"

#include "ra/asn1/time.h"
#include "ra/cmp/oids.h"

namespace ra::cmp {

using asn1::DerReader;
using asn1::Tag;
using asn1::Tlv;

namespace {

/// check_der() with the offset counted in the message.
Result<void> check_below(const DerReader& parent, ByteView der, std::string_view field) {
    auto checked = asn1::check_der(der, kParameterDepth, field);
    if (checked.has_value()) return checked;
    Error error = checked.error();
    error.offset += parent.inside(der).offset();
    return error;
}

}  // namespace

// AlgorithmIdentifier ::= SEQUENCE {
//     algorithm  OBJECT IDENTIFIER,
//     parameters ANY DEFINED BY algorithm OPTIONAL }
Result<AlgorithmIdentifier> algorithm_of(const DerReader& parent, const Tlv& tlv,
                                         std::string_view field) {
    AlgorithmIdentifier made;
    made.whole = tlv.whole;
    DerReader inner = parent.inside(tlv.content);
    RA_TRY(made.algorithm, inner.read_oid(field));
    if (!inner.at_end()) {
        RA_TRY(const Tlv parameters, inner.read_any(field));
        RA_TRY_VOID(check_below(parent, parameters.whole, field));
        made.parameters = parameters.whole;
    }
    RA_TRY_VOID(inner.expect_end(field));
    return made;
}

Result<AlgorithmIdentifier> read_algorithm(DerReader& reader, std::string_view field) {
    RA_TRY(const Tlv tlv, reader.read_tlv(Tag::sequence, field));
    return algorithm_of(reader, tlv, field);
}

// Name ::= CHOICE { rdnSequence RDNSequence }
// RDNSequence ::= SEQUENCE OF RelativeDistinguishedName
// RelativeDistinguishedName ::= SET SIZE (1..MAX) OF AttributeTypeAndValue
// AttributeTypeAndValue ::= SEQUENCE { type AttributeType, value AttributeValue }
Result<ByteView> read_name(DerReader& reader, std::string_view field) {
    RA_TRY(const Tlv name, reader.read_tlv(Tag::sequence, field));
    DerReader rdns = reader.inside(name.content);
    while (!rdns.at_end()) {
        RA_TRY(const ByteView rdn, rdns.read(Tag::set, field));
        if (rdn.empty()) return fail(Errc::bad_value, field, rdns.offset());
        DerReader attributes = rdns.inside(rdn);
        while (!attributes.at_end()) {
            RA_TRY(const ByteView attribute, attributes.read(Tag::sequence, field));
            DerReader inner = attributes.inside(attribute);
            RA_TRY_VOID(inner.read_oid(field));
            RA_TRY(const Tlv value, inner.read_any(field));
            RA_TRY_VOID(check_below(reader, value.whole, field));
            RA_TRY_VOID(inner.expect_end(field));
        }
    }
    return name.whole;
}

// GeneralName ::= CHOICE {
//     otherName                 [0] OtherName,
//     rfc822Name                [1] IA5String,
//     dNSName                   [2] IA5String,
//     x400Address               [3] ORAddress,
//     directoryName             [4] Name,
//     ediPartyName              [5] EDIPartyName,
//     uniformResourceIdentifier [6] IA5String,
//     iPAddress                 [7] OCTET STRING,
//     registeredID              [8] OBJECT IDENTIFIER }
Result<ByteView> read_general_name(DerReader& reader, std::string_view field) {
    const auto tag = reader.peek();
    if (!tag) return fail(Errc::missing, field, reader.offset());
    const std::size_t offset = reader.offset();
    if (*tag == asn1::context(4)) {
        RA_TRY(const Tlv tlv, reader.read_any(field));
        DerReader inner = reader.inside(tlv.content);
        RA_TRY_VOID(read_name(inner, field));
        RA_TRY_VOID(inner.expect_end(field));
        return tlv.whole;
    }
    const bool constructed =
        *tag == asn1::context(0) || *tag == asn1::context(3) || *tag == asn1::context(5);
    const bool text = *tag == asn1::context_primitive(1) || *tag == asn1::context_primitive(2) ||
                      *tag == asn1::context_primitive(6);
    const bool octets = *tag == asn1::context_primitive(7) || *tag == asn1::context_primitive(8);
    if (!constructed && !text && !octets) return fail(Errc::bad_tag, field, offset);
    RA_TRY(const Tlv tlv, reader.read_any(field));
    if (constructed) RA_TRY_VOID(check_below(reader, tlv.whole, field));
    if (text) {
        for (const std::uint8_t octet : tlv.content) {
            if (octet >= 0x80) return fail(Errc::bad_value, field, offset);
        }
    }
    return tlv.whole;
}

Result<Tlv> read_inside(const DerReader& parent, ByteView tagged, Tag want,
                        std::string_view field) {
    DerReader inner = parent.inside(tagged);
    RA_TRY(const Tlv tlv, inner.read_tlv(want, field));
    RA_TRY_VOID(inner.expect_end(field));
    return tlv;
}

// PKIFreeText ::= SEQUENCE SIZE (1..MAX) OF UTF8String
Result<ByteView> read_free_text(DerReader& reader, std::string_view field) {
    RA_TRY(const ByteView content, reader.read(Tag::sequence, field));
    DerReader texts = reader.inside(content);
    if (texts.at_end()) return fail(Errc::bad_value, field, texts.offset());
    while (!texts.at_end()) RA_TRY_VOID(texts.read_utf8(field));
    return content;
}

std::vector<std::string_view> free_texts(ByteView content) {
    std::vector<std::string_view> texts;
    DerReader reader{content};
    while (!reader.at_end()) {
        const auto text = reader.read(Tag::utf8_string, "PKIFreeText");
        if (!text.has_value()) break;
        texts.push_back(as_text(*text));
    }
    return texts;
}

namespace {

/// implicitConfirm is NULL, confirmWaitTime a GeneralizedTime, certProfile a SEQUENCE OF
/// UTF8String: what decides something must be what it says it is.
Result<void> check_known(DerReader value, const InfoTypeAndValue& info) {
    if (oid::kImplicitConfirm == info.type) {
        if (!info.value.empty()) RA_TRY_VOID(value.read_null("implicitConfirm"));
    } else if (oid::kConfirmWaitTime == info.type) {
        const std::size_t offset = value.offset();
        RA_TRY(const ByteView time, value.read(Tag::generalized_time, "confirmWaitTime"));
        if (!asn1::parse_generalized_time(time, "confirmWaitTime").has_value()) {
            return fail(Errc::bad_value, "confirmWaitTime", offset);
        }
    } else if (oid::kCertProfile == info.type) {
        RA_TRY_VOID(read_free_text(value, "certProfile"));
    }
    return boost::system::in_place_value;
}

}  // namespace

// InfoTypeAndValue ::= SEQUENCE {
//     infoType  OBJECT IDENTIFIER,
//     infoValue ANY DEFINED BY infoType OPTIONAL }
Result<InfoTypeAndValue> read_info(DerReader& list, std::string_view field) {
    RA_TRY(const ByteView content, list.read(Tag::sequence, field));
    DerReader inner = list.inside(content);
    InfoTypeAndValue info;
    RA_TRY(info.type, inner.read_oid("infoType"));
    DerReader value = inner;
    if (!inner.at_end()) {
        RA_TRY(const Tlv tlv, inner.read_any("infoValue"));
        info.value = tlv.whole;
    }
    RA_TRY_VOID(inner.expect_end(field));
    RA_TRY_VOID(check_known(value, info));
    return info;
}

Result<void> check_infos(const DerReader& parent, ByteView content, unsigned least, unsigned limit,
                         std::string_view field) {
    DerReader list = parent.inside(content);
    unsigned count = 0;
    while (!list.at_end()) {
        const std::size_t offset = list.offset();
        if (count == limit) return fail(Errc::too_many, field, offset);
        RA_TRY(const InfoTypeAndValue info, read_info(list, field));
        // At most `limit` of them, so looking back costs less than a table would.
        DerReader before = parent.inside(content);
        for (unsigned i = 0; i < count; ++i) {
            RA_TRY(const InfoTypeAndValue other, read_info(before, field));
            if (equal(other.type, info.type)) return fail(Errc::duplicate, field, offset);
        }
        ++count;
    }
    if (count < least) return fail(Errc::bad_value, field, list.offset());
    return boost::system::in_place_value;
}

}  // namespace ra::cmp
