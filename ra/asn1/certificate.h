#pragma once

#include <optional>

#include "ra/asn1/der_reader.h"
#include "ra/asn1/time.h"

namespace ra::asn1 {

/// Extension ::= SEQUENCE { extnID OBJECT IDENTIFIER, critical BOOLEAN DEFAULT FALSE,
///                          extnValue OCTET STRING }   (RFC 5280 4.1)
struct Extension {
    ByteView id;  // OID content
    bool critical = false;
    ByteView value;  // content of the OCTET STRING
};

/// What may be written although DER leaves it out: in certificates, which are somebody else's and
/// opaque to us, an encoded `critical FALSE` is accepted; in CMP's own structures it is not.
enum class Defaults : bool { omitted, may_be_encoded };

/// The next Extension of `extensions`. Errors: as DerReader; bad_value.
[[nodiscard]] Result<Extension> read_extension(DerReader& extensions, Defaults defaults);

/// A certificate (RFC 5280 4.1) as views into somebody's octets.
struct CertificateView {
    ByteView whole;    // the TLV
    ByteView tbs;      // tbsCertificate TLV: what is signed
    unsigned version;  // 1..3
    ByteView serial;   // INTEGER content
    ByteView issuer;   // Name TLV
    ByteView subject;  // Name TLV
    WallTime not_before;
    WallTime not_after;
    ByteView spki;           // SubjectPublicKeyInfo TLV
    ByteView extensions;     // content of the SEQUENCE OF Extension, checked; empty: absent
    ByteView signature_alg;  // AlgorithmIdentifier TLV
    ByteView signature;      // octets of the BIT STRING

    /// extnValue content of the extension with this OID content; nullopt: not there.
    [[nodiscard]] std::optional<ByteView> extension(ByteView id) const noexcept;
};

/// Walks one certificate, strictly, without copying or allocating: lengths and tags as DER wants
/// them, inner and outer signature algorithm the same octets, each extension once. Knows nothing
/// of keys, signatures or trust. `der` must outlive the view. Offsets count from its first octet.
///
/// Certificate ::= SEQUENCE { tbsCertificate TBSCertificate,
///     signatureAlgorithm AlgorithmIdentifier, signatureValue BIT STRING }
[[nodiscard]] Result<CertificateView> parse_certificate(ByteView der);

}  // namespace ra::asn1
