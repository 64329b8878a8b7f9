#pragma once

#include <optional>

#include "ra/base/random.h"
#include "ra/cmp/build.h"
#include "ra/crypto/signer.h"

namespace test {

/// How a message is addressed and protected.
struct Envelope {
    ra::crypto::CredentialPtr credential;  // null: unprotected
    ra::Bytes sender;                      // GeneralName TLV, without credential; empty: NULL-DN
    ra::Bytes sender_kid;                  // without credential
    std::optional<ra::WallTime> time{ra::WallTime{}};     // nullopt: absent
    ra::Bytes transaction_id, sender_nonce, recip_nonce;  // empty: absent
    bool implicit_confirm = false;
};

/// A whole PKIMessage around a body TLV. Throws where signing fails.
[[nodiscard]] ra::Bytes build_message(const Envelope& envelope, ra::ByteView body);

/// The answer to a parsed request: transactionID and nonces as they must be.
[[nodiscard]] Envelope answer_to(const ra::cmp::PKIMessage& request, ra::Random& random,
                                 ra::WallTime now, ra::crypto::CredentialPtr credential);

}  // namespace test
