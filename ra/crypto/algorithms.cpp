#include "ra/crypto/algorithms.h"

#include "ra/asn1/oids.h"

namespace ra::crypto {
namespace {

using asn1::context;
using asn1::DerReader;
using asn1::oid;
using asn1::Oid;
using asn1::Tag;

struct Digest {
    Oid oid;
    const char* name;
};
constexpr Digest kDigests[] = {
    {oid("2.16.840.1.101.3.4.2.1"), "SHA256"},    {oid("2.16.840.1.101.3.4.2.2"), "SHA384"},
    {oid("2.16.840.1.101.3.4.2.3"), "SHA512"},    {oid("2.16.840.1.101.3.4.2.4"), "SHA224"},
    {oid("2.16.840.1.101.3.4.2.8"), "SHA3-256"},  {oid("2.16.840.1.101.3.4.2.9"), "SHA3-384"},
    {oid("2.16.840.1.101.3.4.2.10"), "SHA3-512"},
};

enum class Parameters : std::uint8_t { absent, null_or_absent };
struct Scheme {
    Oid oid;
    std::string_view family;
    const char* digest;
    Parameters parameters;
};
constexpr Scheme kSchemes[] = {
    {oid("1.2.840.10045.4.3.2"), "ec", "SHA256", Parameters::absent},
    {oid("1.2.840.10045.4.3.3"), "ec", "SHA384", Parameters::absent},
    {oid("1.2.840.10045.4.3.4"), "ec", "SHA512", Parameters::absent},
    {oid("1.2.840.10045.4.3.1"), "ec", "SHA224", Parameters::absent},
    {oid("1.2.840.113549.1.1.11"), "rsa", "SHA256", Parameters::null_or_absent},
    {oid("1.2.840.113549.1.1.12"), "rsa", "SHA384", Parameters::null_or_absent},
    {oid("1.2.840.113549.1.1.13"), "rsa", "SHA512", Parameters::null_or_absent},
    {oid("1.2.840.113549.1.1.14"), "rsa", "SHA224", Parameters::null_or_absent},
    {oid("1.3.101.112"), "ed25519", nullptr, Parameters::absent},
    {oid("1.3.101.113"), "ed448", nullptr, Parameters::absent},
};
/// Broken digests (RFC 9481 7.1): refused by name, not handed to libcrypto.
constexpr Oid kBroken[] = {
    oid("1.2.840.113549.1.1.4"),  // md5WithRSAEncryption
    oid("1.2.840.113549.1.1.5"),  // sha1WithRSAEncryption
    oid("1.2.840.10045.4.1"),     // ecdsa-with-SHA1
    oid("1.2.840.10040.4.3"),     // dsa-with-sha1
};
constexpr Oid kPss = oid("1.2.840.113549.1.1.10");
constexpr Oid kMgf1 = oid("1.2.840.113549.1.1.8");
constexpr std::uint8_t kNull[] = {0x05, 0x00};

/// The digest of an AlgorithmIdentifier TLV, parameters NULL or absent.
Result<const char*> read_digest(DerReader& reader, std::string_view field) {
    RA_TRY(const ByteView content, reader.read(Tag::sequence, field));
    DerReader inner = reader.inside(content);
    RA_TRY(const ByteView algorithm, inner.read_oid(field));
    if (!inner.at_end()) RA_TRY_VOID(inner.read_null(field));
    RA_TRY_VOID(inner.expect_end(field));
    const char* const name = digest_by_oid(algorithm);
    if (name == nullptr) return fail(Errc::unsupported, field);
    return name;
}

/// RSASSA-PSS-params ::= SEQUENCE { hashAlgorithm [0] DEFAULT sha1, maskGenAlgorithm [1] DEFAULT
/// mgf1SHA1,
///                                  saltLength [2] INTEGER DEFAULT 20, trailerField [3] INTEGER
///                                  DEFAULT 1 }
/// The defaults are SHA-1, so hash and MGF must be there; MGF1 with the same hash (RFC 4055 3.1).
Result<SignatureScheme> pss_scheme(ByteView parameters, std::string_view field) {
    constexpr std::uint64_t kMostSalt = 512;
    DerReader outer{parameters};
    RA_TRY(const ByteView content, outer.read(Tag::sequence, field));
    RA_TRY_VOID(outer.expect_end(field));
    DerReader reader{content};
    SignatureScheme scheme;
    scheme.family = "rsa";
    scheme.pss = true;
    RA_TRY(const ByteView hash, reader.read(context(0), field));
    DerReader hash_reader{hash};
    RA_TRY(scheme.digest, read_digest(hash_reader, field));
    RA_TRY(const ByteView mgf, reader.read(context(1), field));
    DerReader mgf_outer{mgf};
    RA_TRY(const ByteView mgf_content, mgf_outer.read(Tag::sequence, field));
    DerReader mgf_reader{mgf_content};
    RA_TRY(const ByteView mgf_oid, mgf_reader.read_oid(field));
    RA_TRY(const char* const mgf_digest, read_digest(mgf_reader, field));
    if (!(kMgf1 == mgf_oid) || std::string_view{mgf_digest} != scheme.digest)
        return fail(Errc::bad_value, field);
    scheme.salt_octets = 20;
    RA_TRY(const auto salt, reader.read_optional(context(2), field));
    if (salt) {
        DerReader salt_reader{*salt};
        RA_TRY(const std::uint64_t octets, salt_reader.read_unsigned(field, kMostSalt));
        scheme.salt_octets = static_cast<int>(octets);
    }
    RA_TRY(const auto trailer, reader.read_optional(context(3), field));
    if (trailer) {
        DerReader trailer_reader{*trailer};
        RA_TRY(const std::uint64_t value, trailer_reader.read_unsigned(field, 1));
        if (value != 1) return fail(Errc::bad_value, field);
    }
    RA_TRY_VOID(reader.expect_end(field));
    return scheme;
}

}  // namespace

const char* digest_by_oid(ByteView oid) noexcept {
    for (const Digest& digest : kDigests) {
        if (digest.oid == oid) return digest.name;
    }
    return nullptr;
}

Result<SignatureScheme> signature_scheme(ByteView algorithm_identifier, std::string_view field) {
    DerReader outer{algorithm_identifier};
    RA_TRY(const ByteView content, outer.read(Tag::sequence, field));
    RA_TRY_VOID(outer.expect_end(field));
    DerReader reader{content};
    RA_TRY(const ByteView algorithm, reader.read_oid(field));
    const ByteView parameters = reader.rest();
    for (const Scheme& scheme : kSchemes) {
        if (!(scheme.oid == algorithm)) continue;
        const bool null =
            equal(parameters, kNull) && scheme.parameters == Parameters::null_or_absent;
        if (!parameters.empty() && !null) return fail(Errc::bad_value, field);
        return SignatureScheme{scheme.family, scheme.digest, false, 0};
    }
    if (kPss == algorithm) return pss_scheme(parameters, field);
    for (const Oid& broken : kBroken) {
        if (broken == algorithm) return fail(Errc::unsupported, field);
    }
    // Whatever libcrypto offers at run time (ML-DSA, SLH-DSA): parameters absent, no digest.
    if (!parameters.empty()) return fail(Errc::unsupported, field);
    return SignatureScheme{};
}

}  // namespace ra::crypto
