#pragma once

#include "policy/stages.h"
#include "ra/base/time.h"
#include "ra/cmp/limits.h"

namespace policy {

/// An RA's verified signature around one message: it verified and approved it. What
/// the message itself may do is still judged by its own signer (S-11).
class Approval {
public:
    [[nodiscard]] const ra::crypto::CertificatePtr& signer() const noexcept { return signer_; }

private:
    friend class Access;
    explicit Approval(ra::crypto::CertificatePtr signer) : signer_{std::move(signer)} {}
    ra::crypto::CertificatePtr signer_;
};

/// Is this nested message one that an opaque profile relays as it is?
[[nodiscard]] bool relays_whole(const ra::cmp::PKIMessage& nested, const ArrivalFacts& facts,
                                const std::vector<ProfilePtr>& profiles);

/// The one message of a nested single, a view into `outer`: same transactionID and senderNonce
/// and not nested again. Refuses batches (rule "batch", R-086).
[[nodiscard]] Judged<ra::cmp::PKIMessage> open_nested(const ra::cmp::PKIMessage& outer,
                                                      const ra::cmp::Limits& limits);

/// What must be known to judge the outer signature.
struct ApprovalPlan {
    const ra::crypto::TrustStore* trust = nullptr;  // of the profile; the profile keeps it alive
};
/// Refuses before any work where the profile takes no RA's approval (S-11), other protection than a
/// signature, and messageTime outside the window.
[[nodiscard]] Judged<ApprovalPlan> plan_approval(const ra::cmp::PKIMessage& outer,
                                                 const Profile& profile, ra::WallTime now);

struct ApprovalFacts {
    ra::Result<ra::crypto::Chain> chain = ra::fail(ra::Errc::missing, "extraCerts");
    ra::Result<void> signature = ra::fail(ra::Errc::missing, "protection");
};
[[nodiscard]] Judged<Approval> conclude_approval(const ra::cmp::PKIMessage& outer,
                                                 const Profile& profile,
                                                 const ApprovalFacts& facts);

/// The message with the RA's approval as a second fact; its principal stays its own signer.
[[nodiscard]] AuthenticMessage approved(AuthenticMessage message, const Approval& approval);

}  // namespace policy
