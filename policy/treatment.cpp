#include "policy/treatment.h"

#include "policy/rules.h"
#include "policy/text.h"

namespace policy {

using ra::crypto::ProtectionKind;

std::string_view to_string(Treatment treatment) noexcept {
    switch (treatment) {
        case Treatment::forward:
            return "forward";
        case Treatment::unwrap:
            return "unwrap";
        case Treatment::nest:
            return "nest";
        case Treatment::reprotect:
            return "reprotect";
        case Treatment::raverified:
            return "raverified";
    }
    return "?";
}

Treatment Treatments::of(BodyType type, ProtectionKind kind, bool was_nested) const noexcept {
    const auto& own = operation[static_cast<std::size_t>(type)];
    if (own) return *own;
    if (was_nested && nested) return *nested;
    if (kind == ProtectionKind::mac && mac) return *mac;
    if (kind == ProtectionKind::signature && signature) return *signature;
    return otherwise;
}

namespace {

bool is_follow_up(BodyType type) noexcept {
    return type == BodyType::certConf || type == BodyType::pollReq || type == BodyType::popdecr;
}

/// What RFC 9483 5.2.3 keeps from being re-protected, and what a change to the template
/// needs.
Decision judge_replaced(const Facts& facts, Treatment treatment, bool by_mac) {
    constexpr std::string_view kRule = "treatment";
    const std::string how{to_string(treatment)};
    if (facts.type() == BodyType::kur) {
        return refuse_body(kRule, PKIFailureInfo::notAuthorized,
                           "kur is forwarded or nested, never " + how + " (R-076)");
    }
    for (const Asked& asked : facts.asked) {
        if (asked.crmf == nullptr) continue;
        if (asked.crmf->cert_template.wants_central_key_generation()) {
            const std::string why = "central key generation is never " + how + " (R-076)";
            return by_mac ? refuse(kRule, PKIFailureInfo::wrongIntegrity, why)
                          : refuse_body(kRule, PKIFailureInfo::badCertTemplate, why);
        }
        const bool proven = asked.crmf->popo == ra::cmp::PopoType::signature ||
                            asked.crmf->popo == ra::cmp::PopoType::raVerified;
        if (treatment == Treatment::raverified && !facts.profile.amend.empty() && !proven) {
            return refuse_body(kRule, PKIFailureInfo::badPOP,
                               "raverified without a POP this RA could verify (R-098)");
        }
    }
    return Permit{};
}

}  // namespace

Treatment treatment_of(const Facts& facts) noexcept {
    return facts.profile.treatments.of(facts.type(), ra::crypto::protection_kind(facts.message),
                                       facts.origin.approver != nullptr);
}

/// Of a first message; what follows goes the way its transaction went (S-06).
Decision judge_treatment(const Facts& facts) {
    constexpr std::string_view kRule = "treatment";
    if (is_follow_up(facts.type())) return Permit{};
    const Treatment treatment = treatment_of(facts);
    const bool by_mac = ra::crypto::protection_kind(facts.message) == ProtectionKind::mac;
    if (replaces_protection(treatment)) return judge_replaced(facts, treatment, by_mac);
    if (by_mac && !facts.profile.ca_knows_secrets) {
        return refuse(kRule, PKIFailureInfo::wrongIntegrity,
                      "a MAC the CA cannot verify goes up re-protected only (R-078)");
    }
    return Permit{};
}

Treatment choose_treatment(const ProvenRequest& request) noexcept {
    if (!request.origin().verified) return Treatment::forward;
    const ra::cmp::PKIMessage& message = request.message();
    return request.profile().treatments.of(message.type, ra::crypto::protection_kind(message),
                                           request.origin().approver != nullptr);
}

}  // namespace policy
