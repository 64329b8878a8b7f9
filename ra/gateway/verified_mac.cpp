#include "ra/gateway/verified_mac.h"

#include "ra/crypto/digest.h"

namespace ra::gateway {

Result<Bytes> protect_with(const VerifiedMac& mac, crypto::Unprotected message) {
    if (mac.parameters.nonce.empty())
        return crypto::mac_message(mac.key, mac.algorithm, mac.reference, std::move(message));
    // A nonce is good for one message under a key: this one follows from the message.
    Bytes said = cmp::build_header(message.header);
    for (const ByteView piece : message.body) append(said, piece);
    const crypto::Sha256 digest = crypto::sha256(said);
    crypto::MacParameters fresh = mac.parameters;
    fresh.nonce.assign(digest.begin(),
                       digest.begin() + static_cast<std::ptrdiff_t>(fresh.nonce.size()));
    const Bytes algorithm = crypto::build_mac_algorithm(fresh);
    return crypto::mac_message(mac.key.with_nonce(fresh.nonce), algorithm, mac.reference,
                               std::move(message));
}

}  // namespace ra::gateway
