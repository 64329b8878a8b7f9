#include "policy/inventory.h"

#include <algorithm>

#include "policy/distinguished_name.h"
#include "policy/rules.h"
#include "policy/text.h"

namespace policy {
namespace {

/// Does a key held by `holder` belong to this sender, asking for this subject?
bool is_holder(const KeyHolder& holder, const Origin& origin, const Profile& profile,
               ra::ByteView subject) {
    const auto same_subject = [&] { return subject_digest(subject) == holder.subject; };
    if (origin.ra_authority && profile.ra.any_subject) return same_subject();
    const auto& all = holder.principals;
    if (std::find(all.begin(), all.end(), origin.principal) != all.end()) return true;
    // Secrets are used up: whoever is given the next one for the same name is the same device.
    return origin.signer == nullptr && same_subject();
}

}  // namespace

Principal signature_principal(const ra::crypto::Sha256& certificate_digest) {
    return {ra::crypto::sha256(ra::as_bytes("signature:"), certificate_digest)};
}

ra::crypto::Sha256 subject_digest(ra::ByteView name) {
    return ra::crypto::sha256(canonical_name(name));
}

InventoryPlan plan_inventory(const ProvenRequest& request) {
    InventoryPlan plan;
    if (!request.origin().verified) return plan;
    const std::vector<Asked> asked = asked_in(request.body());
    if (asked.size() != 1) return plan;  // request-count refuses more
    const ra::Bytes spki = asked.front().public_key();
    if (spki.empty()) return plan;
    if (const auto key = ra::crypto::key_digest(spki)) plan.key = *key;
    return plan;
}

std::optional<KeyHolder> hold_key(const std::optional<KeyHolder>& known,
                                  const AuthenticMessage& request,
                                  const ra::asn1::CertificateView& issued, ra::WallTime now) {
    const Principal& asker = request.origin().principal;
    KeyHolder next;
    if (known && known->until > now) {
        if (!is_holder(*known, request.origin(), request.profile(), issued.subject))
            return std::nullopt;
        next = *known;
    }
    next.subject = subject_digest(issued.subject);
    next.until = std::max(next.until, issued.not_after);
    for (const Principal& one : {asker, signature_principal(ra::crypto::sha256(issued.whole))}) {
        auto& all = next.principals;
        if (std::find(all.begin(), all.end(), one) != all.end()) continue;
        if (all.size() == kMostKeyHolders) all.erase(all.begin() + 1);
        all.push_back(one);
    }
    return next;
}

Decision judge_signer_revoked(const Facts& facts) {
    if (!facts.known.signer_revoked) return Permit{};
    return refuse("signer-revoked", PKIFailureInfo::certRevoked,
                  "the protection certificate was revoked through this gateway (S-33)");
}

/// S-14. Not a matter of POP: two principals with one key are a copied device or a stolen key.
Decision judge_duplicate_key(const Facts& facts) {
    const auto& holder = facts.known.holder;
    if (!holder || holder->until <= facts.now || facts.profile.rules.duplicate_keys)
        return Permit{};
    const auto subject = facts.asked.front().subject();
    if (is_holder(*holder, facts.origin, facts.profile, subject.value_or(ra::ByteView{})))
        return Permit{};
    return refuse_body("duplicate-key", PKIFailureInfo::duplicateCertReq,
                       "the key was certified here for principal " +
                           ra::to_hex(holder->principals.front().digest) + " (S-14)");
}

}  // namespace policy
