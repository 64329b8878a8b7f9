#include "ra/gateway/verified_mac.h"

namespace ra::gateway {

Result<Bytes> protect_with(const VerifiedMac& mac, cmp::HeaderFields fields, ByteView body,
                           ByteView extra_certs) {
    fields.protection_alg = mac.algorithm;
    fields.sender_kid = mac.reference;
    return crypto::protect_with_mac(mac.key, cmp::build_header(fields), body, extra_certs);
}

}  // namespace ra::gateway
