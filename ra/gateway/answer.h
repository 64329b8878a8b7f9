#pragma once

#include "ra/gateway/match.h"
#include "ra/gateway/outcome.h"
#include "ra/gateway/verified_mac.h"

namespace ra::gateway {

/// What a re-protected answer is protected by: the MAC under which the request verified (S-20), or
/// else a credential the device trusts.
struct AnswerProtection {
    VerifiedMacPtr mac;
    crypto::CredentialPtr credential;
    /// Instead of the CA's recipNonce: after a delay of ours the last pollReq's, which is
    /// all that some clients compare with. Empty: as it is.
    ByteView recip_nonce{};
};

/// The CA's answer, matched, for a device that cannot verify the CA: its body, pvno, transactionID,
/// nonces and generalInfo (implicitConfirm, confirmWaitTime) under our protection, to `recipient`
/// (the request's sender); extraCerts: our chain, then the CA's. A cr that was a p10cr
/// comes back as its cp. Failures as sign(), UpstreamFault "credential-gone".
[[nodiscard]] asio::awaitable<Outcome<Bytes>> protect_answer(const cmp::PKIMessage& answer,
                                                             const Record& record,
                                                             ByteView recipient,
                                                             AnswerProtection protection,
                                                             WallTime now, CpuPool& cpu);

}  // namespace ra::gateway
