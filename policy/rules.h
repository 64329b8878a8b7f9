#pragma once

#include <span>
#include <string>
#include <vector>

#include "policy/inventory.h"
#include "policy/pattern_match.h"
#include "policy/pipeline.h"

/// The rules: a table of pure functions (policy/README.md lists them for operators).
namespace policy {

/// One certificate asked for, by CRMF or PKCS #10.
struct Asked {
    const ra::cmp::CertReqMsg* crmf = nullptr;
    const ra::cmp::CertificationRequest* p10 = nullptr;

    [[nodiscard]] std::optional<ra::ByteView> subject() const noexcept;
    [[nodiscard]] const std::vector<ra::cmp::Extension>& extensions() const noexcept;
    /// The key as a universal SubjectPublicKeyInfo; empty: the CA is to make one. Allocates.
    [[nodiscard]] ra::Bytes public_key() const;
};
/// What a body asks for; empty for bodies that ask for no certificate.
[[nodiscard]] std::vector<Asked> asked_in(const Body& body);

/// What a rule sees.
struct Facts {
    const ra::cmp::PKIMessage& message;
    const Profile& profile;
    const Origin& origin;
    const Body& body;
    Sender sender;
    std::vector<Asked> asked;
    ra::WallTime now;
    InventoryFacts known;

    [[nodiscard]] BodyType type() const noexcept { return message.type; }
};
/// Borrows `request`. Only for a verified origin.
[[nodiscard]] Facts facts_of(const ProvenRequest& request, ra::WallTime now,
                             const InventoryFacts& known);

using Rule = Decision (*)(const Facts&);
struct NamedRule {
    std::string_view name;  // also Refuse::rule of what it refuses
    bool (*applies)(const Facts&);
    Rule judge;
    std::string (*looked_at)(const Facts&);  // for people
};
/// In the order in which they are judged; the first refusal wins.
[[nodiscard]] std::span<const NamedRule> rules() noexcept;

// Shape of the message (rules_shape.cpp).
Decision judge_body(const Facts& facts);
Decision judge_counts(const Facts& facts);
Decision judge_unlisted(const Facts& facts);
Decision judge_duplicates(const Facts& facts);
Decision judge_template_fields(const Facts& facts);

// What the certificate is to say (rules_certificate.cpp).
Decision judge_subject(const Facts& facts);
Decision judge_alt_names(const Facts& facts);
Decision judge_issuer(const Facts& facts);
Decision judge_key(const Facts& facts);
Decision judge_central_key_generation(const Facts& facts);
Decision judge_key_usage(const Facts& facts);
Decision judge_extended_key_usage(const Facts& facts);
Decision judge_basic_constraints(const Facts& facts);
Decision judge_validity(const Facts& facts);

// What the operation allows (rules_operation.cpp).
Decision judge_implicit_confirm(const Facts& facts);
Decision judge_cert_profile(const Facts& facts);
Decision judge_protection_kind(const Facts& facts);
Decision judge_old_cert_id(const Facts& facts);
Decision judge_kur_names(const Facts& facts);
Decision judge_revocation(const Facts& facts);
Decision judge_genm(const Facts& facts);
Decision judge_cert_status(const Facts& facts);

// What went through here before (inventory.cpp).
Decision judge_signer_revoked(const Facts& facts);
Decision judge_duplicate_key(const Facts& facts);

// How it goes on (treatment.cpp).
Decision judge_treatment(const Facts& facts);
/// What the profile says for this message; for one that begins a transaction.
[[nodiscard]] Treatment treatment_of(const Facts& facts) noexcept;

/// Is this SubjectAltName entry one the profile lists?
[[nodiscard]] bool permits_alt_name(const Rules& rules, unsigned choice, ra::ByteView content,
                                    const Sender& sender);
/// Is this subject one the profile permits to this sender?
[[nodiscard]] bool permits_subject(const Rules& rules, ra::ByteView subject, const Sender& sender);
[[nodiscard]] bool is_listed(const std::vector<ra::Bytes>& list, ra::ByteView oid) noexcept;

}  // namespace policy
