#include "ra/gateway/nested.h"

#include "ra/crypto/protection.h"

namespace ra::gateway {

Outcome<cmp::ParsedMessage> open_nested(const cmp::PKIMessage& outer, const cmp::Limits& limits) {
    auto inner = policy::open_nested(outer, limits);
    if (!inner) return Failure{std::move(inner).error()};
    auto parsed = cmp::ParsedMessage::parse(cmp::MessageBuffer{to_bytes(inner->whole)}, limits);
    if (!parsed) return Failure{parsed.error()};
    return std::move(*parsed);
}

Outcome<policy::Approval> verify_approval(const cmp::PKIMessage& outer,
                                          const policy::Profile& profile, WallTime now,
                                          crypto::ChainVerifier& chains) {
    const auto plan = policy::plan_approval(outer, profile, now);
    if (!plan) return Failure{plan.error()};
    policy::ApprovalFacts facts;
    facts.chain = chains.verify(*plan->trust, outer.extra_certs);
    if (facts.chain)
        facts.signature = crypto::verify_signature_protection(outer, facts.chain->leaf->key());
    auto approval = policy::conclude_approval(outer, profile, facts);
    if (!approval) return Failure{std::move(approval).error()};
    return std::move(*approval);
}

}  // namespace ra::gateway
