#include "ra/gateway/verified_mac.h"

#include "ra/crypto/digest.h"

namespace ra::gateway {

Result<Bytes> protect_with(const VerifiedMac& mac, cmp::HeaderFields fields, ByteView body,
                           ByteView extra_certs) {
    fields.sender_kid = mac.reference;
    if (!mac.parameters.nonce.empty()) {
        // A nonce is good for one message under a key: this one follows from the message.
        fields.protection_alg = {};
        const crypto::Sha256 digest = crypto::sha256(cmp::build_header(fields), body);
        crypto::MacParameters fresh = mac.parameters;
        fresh.nonce.assign(digest.begin(),
                           digest.begin() + static_cast<std::ptrdiff_t>(fresh.nonce.size()));
        const Bytes algorithm = crypto::build_mac_algorithm(fresh);
        fields.protection_alg = algorithm;
        return crypto::protect_with_mac(mac.key.with_nonce(fresh.nonce), cmp::build_header(fields),
                                        body, extra_certs);
    }
    fields.protection_alg = mac.algorithm;
    return crypto::protect_with_mac(mac.key, cmp::build_header(fields), body, extra_certs);
}

}  // namespace ra::gateway
