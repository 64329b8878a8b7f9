#pragma once

#include <string_view>

#include "ra/cmp/message.h"

namespace ra::crypto {

/// What a signature AlgorithmIdentifier says (RFC 9481 3), its parameters checked.
struct SignatureScheme {
    std::string_view
        family;  // of the key: "rsa", "ec", "ed25519", "ed448"; empty: libcrypto's by OID
    const char* digest = nullptr;  // libcrypto's name; null: the scheme signs the message itself
    bool pss = false;
    int salt_octets = 0;  // pss
};

/// SHA-1 and MD5 combinations are refused. Errors: unsupported; bad_value (parameters).
[[nodiscard]] Result<SignatureScheme> signature_scheme(ByteView algorithm_identifier,
                                                       std::string_view field);

/// libcrypto's name of a digest by OID content; null: not one we use.
[[nodiscard]] const char* digest_by_oid(ByteView oid) noexcept;

}  // namespace ra::crypto
