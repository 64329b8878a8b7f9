#pragma once

#include <memory>

#include "ra/crypto/envelope.h"

namespace ra::gateway {

/// The secret under which a request's own MAC verified: what its answers are protected with. Made
/// by nobody but the stage that verified it (S-20); lives as long as its message.
struct VerifiedMac {
    crypto::MacParameters parameters;
    Bytes algorithm;     // AlgorithmIdentifier TLV, as received: answers carry the same, but for
                         // the nonce of a GMAC, which is used once
    crypto::MacKey key;  // of these parameters
    Bytes reference;     // of the secret: senderKID of answers
    Secret secret;       // for an answer that the CA protected under the same secret
};
using VerifiedMacPtr = std::shared_ptr<const VerifiedMac>;

/// A PKIMessage protected by it: sender, protectionAlg and senderKID are those of the secret.
/// Error: unsupported.
[[nodiscard]] Result<Bytes> protect_with(const VerifiedMac& mac, crypto::Unprotected message);

}  // namespace ra::gateway
