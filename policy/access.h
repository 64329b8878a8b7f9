#pragma once

#include "policy/approval.h"
#include "policy/stages.h"

namespace policy {

/// Makes the stages; included only by the functions that do the checking they stand for.
class Access {
public:
    static ProfiledMessage profiled(ra::cmp::ParsedMessage parsed, ProfilePtr profile) {
        return {std::move(parsed), std::move(profile)};
    }
    static AuthenticMessage authentic(ProfiledMessage profiled, Origin origin) {
        return {std::move(profiled), std::move(origin)};
    }
    static Approval approval(ra::crypto::CertificatePtr signer) {
        return Approval{std::move(signer)};
    }
    static AuthenticMessage approved(AuthenticMessage message, ra::crypto::CertificatePtr signer) {
        message.origin_.approver = std::move(signer);
        return message;
    }
    static ProvenRequest proven(AuthenticMessage authentic, Body body) {
        return {std::move(authentic), std::move(body)};
    }
};

}  // namespace policy
