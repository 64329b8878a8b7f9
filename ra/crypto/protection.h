#pragma once

#include "ra/cmp/body.h"
#include "ra/crypto/certificate.h"

namespace ra::crypto {

enum class ProtectionKind : std::uint8_t { none, signature, mac };
/// By protectionAlg: PasswordBasedMac, PBMAC1, DHBasedMac, KemBasedMac are MACs.
[[nodiscard]] ProtectionKind protection_kind(const cmp::PKIMessage& message) noexcept;

/// Signature-based protection (RFC 9810 5.1.3.3) over the received octets. Errors of
/// PublicKey::verify.
[[nodiscard]] Result<void> verify_signature_protection(const cmp::PKIMessage& message,
                                                       const PublicKey& key);

/// POPOSigningKey (RFC 4211 4.1): input absent if and only if the template has subject and key;
/// algorithm fits the key; keys equal. Errors: bad_signature, bad_value, missing, unsupported.
[[nodiscard]] Result<void> verify_popo(const cmp::CertReqMsg& request);
/// The self-signature of a PKCS #10 request.
[[nodiscard]] Result<void> verify_self_signature(const cmp::CertificationRequest& request);

}  // namespace ra::crypto
