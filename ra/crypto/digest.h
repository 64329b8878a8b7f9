#pragma once

#include <array>
#include <optional>

#include "ra/base/bytes.h"
#include "ra/base/result.h"
#include "ra/cmp/message.h"

namespace ra::crypto {

using Sha256 = std::array<std::uint8_t, 32>;

/// SHA-256 of first || second (a fetched algorithm, a context per thread).
[[nodiscard]] Sha256 sha256(ByteView first, ByteView second = {});

/// HMAC-SHA-256 over first || second.
[[nodiscard]] Sha256 hmac_sha256(ByteView key, ByteView first, ByteView second = {});

/// certHash of a certificate (RFC 9810 5.3.18): with hash_alg if given, else the hash of the
/// certificate's signatureAlgorithm (spec 04 section 3). Error: unsupported.
[[nodiscard]] Result<Bytes> cert_hash(ByteView certificate,
                                      const std::optional<cmp::AlgorithmIdentifier>& hash_alg);

}  // namespace ra::crypto
