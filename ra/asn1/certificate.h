#pragma once

#include <optional>
#include <vector>

#include "ra/asn1/der_reader.h"
#include "ra/base/time.h"

namespace ra::asn1 {

/// Extension ::= SEQUENCE { extnID OBJECT IDENTIFIER, critical BOOLEAN DEFAULT FALSE, extnValue OCTET STRING }
struct CertificateExtension {
    ByteView id;     // OID content
    bool critical = false;
    ByteView value;  // content of the OCTET STRING
};

/// Certificate (RFC 5280 4.1) as views into somebody's octets; nothing is judged.
struct CertificateView {
    ByteView whole;
    ByteView tbs;                  // the TLV that is signed
    ByteView serial;               // INTEGER content
    ByteView issuer;               // Name TLV
    ByteView subject;              // Name TLV
    WallTime not_before{};
    WallTime not_after{};
    ByteView spki;                 // SubjectPublicKeyInfo TLV
    std::vector<CertificateExtension> extensions;  // each OID once
    ByteView signature_algorithm;  // AlgorithmIdentifier TLV
    ByteView signature;            // octets of the BIT STRING

    /// extnValue content by OID content; nullopt: not there.
    [[nodiscard]] std::optional<ByteView> extension(ByteView id) const noexcept;
};

/// Errors: those of the DER; duplicate (extension); bad_value.
[[nodiscard]] Result<CertificateView> parse_certificate(ByteView der);

}  // namespace ra::asn1
