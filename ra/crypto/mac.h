#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "ra/base/secret.h"
#include "ra/cmp/message.h"

namespace ra::crypto {

/// What of a peer's MAC parameters is computed with; anything else is refused before any work
/// (S-30). The lower bounds are those of RFC 9810 5.1.3.1.
struct MacLimits {
    std::uint32_t least_iterations = 100;
    std::uint32_t most_iterations = 100'000;
    std::size_t least_salt = 8;  // octets
    std::size_t most_salt = 64;
};

enum class MacKind : std::uint8_t { passwordBasedMac, pbmac1 };

/// What a protectionAlg with a password-based MAC says. Algorithms by libcrypto's names, literals.
struct MacParameters {
    MacKind kind{};
    Bytes salt;
    std::uint32_t iterations = 0;
    const char* derivation = "SHA256";  // owf, or digest of PBKDF2's prf
    const char* mac = "SHA256";         // digest of the HMAC; or see mac_function.h
    std::size_t key_octets = 32;        // PBMAC1; with PasswordBasedMac owf and mac decide
    Bytes nonce{};                      // of a GMAC, 12 octets; else empty
};

/// PasswordBasedMac (RFC 9810 5.1.3.1, RFC 9481 6.1.1) and PBMAC1 (RFC 8018 7.1) with PBKDF2; as
/// MAC in them HMAC, AES-GMAC (RFC 9045) and KMAC (RFC 9481 6.2). Errors: unsupported (another
/// algorithm), bad_value (out of the limits), of the DER.
[[nodiscard]] Result<MacParameters> parse_mac_parameters(const cmp::AlgorithmIdentifier& algorithm,
                                                         const MacLimits& limits);
/// The AlgorithmIdentifier TLV of these.
[[nodiscard]] Bytes build_mac_algorithm(const MacParameters& parameters);

/// How long deriving a key takes here, from one measurement a digest when first asked.
[[nodiscard]] std::chrono::nanoseconds derive_cost(const MacParameters& parameters);

/// A key derived from a secret, for the length of a transaction. Any thread.
class MacKey {
public:
    /// Takes as long as the iterations say. Error: unsupported (libcrypto lacks the digest).
    [[nodiscard]] static Result<MacKey> derive(const MacParameters& parameters, ByteView secret);

    /// MAC over first || second. Error: unsupported.
    [[nodiscard]] Result<Bytes> compute(ByteView first, ByteView second = {}) const;

    /// The same key with another nonce: that of a GMAC is used once.
    [[nodiscard]] MacKey with_nonce(ByteView nonce) const;

private:
    MacKey(Secret key, const char* mac, Bytes nonce) noexcept
        : key_{std::move(key)}, mac_{mac}, nonce_{std::move(nonce)} {}
    Secret key_;
    const char* mac_;
    Bytes nonce_;
};

/// The protection of a received message, in constant time. Errors: missing, unsupported,
/// bad_signature.
[[nodiscard]] Result<void> verify_mac_protection(const cmp::PKIMessage& message, const MacKey& key);

/// PKIMessage with this protection; the header must carry the key's algorithm as protectionAlg.
[[nodiscard]] Result<Bytes> protect_with_mac(const MacKey& key, ByteView header, ByteView body,
                                             ByteView extra_certs);

}  // namespace ra::crypto
