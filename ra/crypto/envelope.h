#pragma once

#include <array>

#include "ra/cmp/message_writer.h"
#include "ra/crypto/mac.h"
#include "ra/crypto/signer.h"

namespace ra::crypto {

/// A message about to be protected. Views are borrowed until it is.
struct Unprotected {
    /// Without sender, protectionAlg and senderKID: those are the protector's.
    cmp::HeaderFields header;
    std::array<ByteView, 2> body;  // the body TLV, in pieces that follow each other
    /// Certificate TLVs sent behind the protector's own chain; what stands there is left out.
    ByteView more_certs;
};

/// PKIMessage under the credential's signature, its chain first in extraCerts. Blocks for
/// sign_cost(). Errors: those of sign().
[[nodiscard]] Result<Bytes> sign_message(const Credential& credential, Unprotected message);

/// PKIMessage under a MAC. `algorithm`: the AlgorithmIdentifier TLV `key` was derived by;
/// `reference`: senderKID, and commonName of sender (RFC 9483 3.1). Error: unsupported.
[[nodiscard]] Result<Bytes> mac_message(const MacKey& key, ByteView algorithm, ByteView reference,
                                        Unprotected message);

}  // namespace ra::crypto
