#pragma once

#include <memory>
#include <string_view>

#include "ra/base/bytes.h"
#include "ra/base/result.h"
#include "ra/cmp/message.h"
#include "ra/crypto/digest.h"

namespace ra::crypto {

/// What policy may know of a key.
struct KeyFacts {
    std::string_view family;  // "rsa", "ec", "ed25519", "ed448", or libcrypto's name, lower case
    std::string_view curve;   // "P-256", "P-384", "P-521", …; empty unless ec
    unsigned bits = 0;        // modulus, field or security-relevant size as libcrypto counts
};

/// A public key, built from its octets without libcrypto's generic decoder where the algorithm is
/// a common one (RSA, P-256/384/521, Ed25519, Ed448), with it for the rest (ML-DSA, …).
/// Immutable; may be shared by threads.
class PublicKey {
public:
    /// `spki`: universal SubjectPublicKeyInfo TLV, or the [6] IMPLICIT one of a CertTemplate (only
    /// the content counts). Errors: unsupported; bad_value (point not on curve, RSA > 8192 bit,
    /// e >= 2^32 or even, explicit curve parameters: S-30).
    [[nodiscard]] static Result<PublicKey> from_spki(ByteView spki);

    [[nodiscard]] const KeyFacts& facts() const noexcept;

    /// Verifies `signature` over first || second. Errors: unsupported (algorithm unknown, or not
    /// one for this key: badAlg), bad_signature, bad_value (parameters not as RFC 9481 wants).
    [[nodiscard]] Result<void> verify(const cmp::AlgorithmIdentifier& algorithm, ByteView signature,
                                      ByteView first, ByteView second = {}) const;

    struct Impl;
    explicit PublicKey(std::shared_ptr<const Impl> impl) noexcept : impl_{std::move(impl)} {}
    [[nodiscard]] const Impl& impl() const noexcept { return *impl_; }

private:
    std::shared_ptr<const Impl> impl_;
};

/// Names a key, whatever way it is written: EC points compressed or not, RSA for PKCS#1 or PSS. For
/// a universal SubjectPublicKeyInfo TLV or the [6] one of a CertTemplate. Errors: of the DER.
[[nodiscard]] Result<Sha256> key_digest(ByteView spki);

/// Are these the same key (algorithm and key octets)? Tags of the outer SEQUENCE do not count.
[[nodiscard]] bool same_public_key(ByteView spki_a, ByteView spki_b) noexcept;

}  // namespace ra::crypto
