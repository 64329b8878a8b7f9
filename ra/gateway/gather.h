#pragma once

#include "ra/gateway/gateway.h"
#include "ra/gateway/outcome.h"
#include "ra/gateway/verified_mac.h"

namespace ra::gateway {

/// What verifying a MAC yields.
struct MacFacts {
    policy::OriginFacts facts;
    VerifiedMacPtr mac;      // what answers are protected with; null unless it verified (S-20)
    SecretUse use;           // of the secret, where it verified
    bool may_begin = false;  // the secret is good for new transactions
    bool spent = false;      // no use is left for a new one
};

/// Finds the secret a plan names, derives its key and verifies. Whatever is wrong with secret or
/// MAC costs the same and looks the same (S-21). Failure: Busy, where too many derivations wait.
[[nodiscard]] asio::awaitable<Outcome<MacFacts>> gather_mac(const Services& services,
                                                            const policy::ProfiledMessage& message,
                                                            const policy::OriginPlan& plan,
                                                            const PeerFacts& peer,
                                                            Deadline deadline);

/// Null: none.
using AnswerKey = std::shared_ptr<const crypto::MacKey>;
/// The key of an answer that the CA protected under the secret of the request: that of the request
/// where the parameters are the same. Null: the answer has no such protection, or parameters that
/// are not computed with.
[[nodiscard]] asio::awaitable<AnswerKey> derive_answer_key(
    const Services& services, ByteView answer, VerifiedMacPtr mac, const crypto::MacLimits& limits,
    const cmp::Limits& message_limits, const PeerFacts& peer, Deadline deadline);

}  // namespace ra::gateway
