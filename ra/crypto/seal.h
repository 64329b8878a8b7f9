#pragma once

#include <memory>

#include "ra/base/bytes.h"
#include "ra/base/random.h"
#include "ra/base/result.h"
#include "ra/base/secret.h"

namespace ra::crypto {

/// Seals what is kept at rest (S-24): XAES-256-GCM (C2SP), that is AES-256-GCM with a 192-bit nonce
/// of which one half derives the key. Plain GCM with random nonces allows 2^32 messages a key,
/// which a busy gateway reaches in weeks; this one 2^80. Immutable; any thread.
class Sealer {
public:
    static constexpr std::size_t kKeyOctets = 32;
    static constexpr std::size_t kNonceOctets = 24;
    static constexpr std::size_t kTagOctets = 16;
    static constexpr std::size_t kOverhead = kNonceOctets + kTagOctets;

    /// `key`: kKeyOctets of full entropy. Error: bad_value (another size).
    [[nodiscard]] static Result<Sealer> create(Secret key);
    Sealer(Sealer&&) noexcept;
    Sealer& operator=(Sealer&&) noexcept;
    ~Sealer();

    /// nonce || ciphertext || tag. `associated` is not contained, but must be the same when
    /// unsealed: where the octets belong (table, row, version), so that they are good nowhere else.
    [[nodiscard]] Bytes seal(ByteView plain, ByteView associated, Random& random) const;

    /// What was sealed. Errors: truncated; bad_signature (another key, place, or changed octets).
    [[nodiscard]] Result<Bytes> unseal(ByteView sealed, ByteView associated) const;

    /// With a given nonce of kNonceOctets: for test vectors.
    [[nodiscard]] Bytes seal_with_for_test(ByteView nonce, ByteView plain,
                                           ByteView associated) const;

private:
    struct Keys;
    explicit Sealer(std::unique_ptr<Keys> keys) noexcept;
    std::unique_ptr<Keys> keys_;
};

}  // namespace ra::crypto
