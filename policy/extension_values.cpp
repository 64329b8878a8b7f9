#include "policy/extension_values.h"

#include "ra/asn1/der_reader.h"

namespace policy {

using ra::ByteView;
using ra::asn1::DerReader;
using ra::asn1::Tag;

// SubjectAltName ::= GeneralNames
// GeneralNames ::= SEQUENCE SIZE (1..MAX) OF GeneralName
ra::Result<std::vector<AltName>> read_alt_names(ByteView value) {
    std::vector<AltName> out;
    DerReader outer{value};
    RA_TRY(const ByteView content, outer.read(Tag::sequence, "subjectAltName"));
    RA_TRY_VOID(outer.expect_end("subjectAltName"));
    DerReader names = outer.inside(content);
    if (names.at_end()) return ra::fail(ra::Errc::missing, "subjectAltName");
    while (!names.at_end()) {
        RA_TRY(const ra::asn1::Tlv name, names.read_any("GeneralName"));
        const auto octet = static_cast<std::uint8_t>(name.tag);
        constexpr std::uint8_t kClass = 0xc0, kContext = 0x80, kNumber = 0x1f;
        if ((octet & kClass) != kContext) return ra::fail(ra::Errc::bad_tag, "GeneralName");
        out.push_back({octet & static_cast<unsigned>(kNumber), name.content, name.whole});
    }
    return out;
}

// ExtKeyUsageSyntax ::= SEQUENCE SIZE (1..MAX) OF KeyPurposeId
ra::Result<std::vector<ByteView>> read_ext_key_usage(ByteView value) {
    std::vector<ByteView> out;
    DerReader outer{value};
    RA_TRY(const ByteView content, outer.read(Tag::sequence, "extKeyUsage"));
    RA_TRY_VOID(outer.expect_end("extKeyUsage"));
    DerReader purposes = outer.inside(content);
    if (purposes.at_end()) return ra::fail(ra::Errc::missing, "extKeyUsage");
    while (!purposes.at_end()) {
        RA_TRY(const ByteView purpose, purposes.read_oid("KeyPurposeId"));
        out.push_back(purpose);
    }
    return out;
}

// KeyUsage ::= BIT STRING { digitalSignature (0), …, decipherOnly (8) }
ra::Result<std::uint16_t> read_key_usage(ByteView value) {
    DerReader outer{value};
    RA_TRY(const ByteView bits, outer.read(Tag::bit_string, "keyUsage"));
    RA_TRY_VOID(outer.expect_end("keyUsage"));
    if (bits.empty() || bits.size() > 3 || bits[0] > 7)
        return ra::fail(ra::Errc::bad_value, "keyUsage");
    unsigned usage = 0;
    for (unsigned bit = 0; bit < 8 * (bits.size() - 1); ++bit) {
        if (((bits[1 + bit / 8] >> (7 - bit % 8)) & 1U) != 0) usage |= 1U << bit;
    }
    return static_cast<std::uint16_t>(usage);
}

// BasicConstraints ::= SEQUENCE { cA BOOLEAN DEFAULT FALSE, pathLenConstraint INTEGER (0..MAX)
// OPTIONAL }
ra::Result<bool> read_is_ca(ByteView value) {
    DerReader outer{value};
    RA_TRY(const ByteView content, outer.read(Tag::sequence, "basicConstraints"));
    RA_TRY_VOID(outer.expect_end("basicConstraints"));
    DerReader fields = outer.inside(content);
    bool ca = false;
    // An explicit FALSE is not DER, but harmless and sent by deployed clients.
    if (fields.peek() == Tag::boolean) {
        RA_TRY(ca, fields.read_boolean("cA"));
    }
    if (fields.peek() == Tag::integer) {
        RA_TRY_VOID(fields.read_big_integer("pathLenConstraint"));
    }
    RA_TRY_VOID(fields.expect_end("basicConstraints"));
    return ca;
}

}  // namespace policy
