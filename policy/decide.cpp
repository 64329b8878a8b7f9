#include <array>

#include "policy/distinguished_name.h"
#include "policy/extension_values.h"
#include "policy/rules.h"
#include "ra/asn1/oids.h"
#include "ra/cmp/oids.h"

namespace policy {
namespace {

using ra::ByteView;

bool always(const Facts&) { return true; }
bool asks(const Facts& facts) { return !facts.asked.empty(); }
bool is_kur(const Facts& facts) { return facts.type() == BodyType::kur; }
bool is_rr(const Facts& facts) { return facts.type() == BodyType::rr; }
bool is_genm(const Facts& facts) { return facts.type() == BodyType::genm; }
bool is_cert_conf(const Facts& facts) { return facts.type() == BodyType::certConf; }
bool has_implicit_confirm(const Facts& facts) {
    return facts.message.header.info(ra::cmp::oid::kImplicitConfirm.view()).has_value();
}
bool has_cert_profile(const Facts& facts) {
    return facts.message.header.info(ra::cmp::oid::kCertProfile.view()).has_value();
}
bool has_old_cert_id(const Facts& facts) {
    for (const Asked& asked : facts.asked) {
        if (asked.crmf == nullptr) continue;
        for (const auto& control : asked.crmf->controls) {
            if (ra::cmp::oid::kOldCertId == control.type) return true;
        }
    }
    return false;
}
bool has_extension(const Facts& facts, const ra::asn1::Oid& id) {
    for (const Asked& asked : facts.asked) {
        if (find_extension(asked.extensions(), id.view())) return true;
    }
    return false;
}

std::string see_type(const Facts& facts) { return std::string(to_string(facts.type())); }
std::string see_treatment(const Facts& facts) {
    return see_type(facts) + ": " + std::string(to_string(treatment_of(facts)));
}
std::string see_count(const Facts& facts) {
    return facts.asked.empty() ? see_type(facts) : std::to_string(facts.asked.size()) + " request";
}
std::string see_elements(const Facts& facts) {
    std::string out;
    const auto add = [&out](ByteView id) {
        out += (out.empty() ? "" : ", ") + ra::asn1::oid_name(id);
    };
    for (const Asked& asked : facts.asked) {
        for (const auto& extension : asked.extensions()) add(extension.id);
        if (asked.p10 != nullptr) {
            for (const ByteView attribute : asked.p10->other_attributes) add(attribute);
        } else {
            for (const auto& control : asked.crmf->controls) add(control.type);
            for (const auto& info : asked.crmf->reg_info) add(info.type);
        }
    }
    return out.empty() ? "no optional elements" : out;
}
std::string see_subject(const Facts& facts) {
    const auto subject = facts.asked.front().subject();
    return (subject ? name_text(*subject) : "none") + " asked by " +
           name_text(facts.sender.subject);
}
std::string see_issuer(const Facts& facts) {
    const ra::cmp::CertReqMsg* crmf = facts.asked.front().crmf;
    return crmf != nullptr && crmf->cert_template.issuer ? name_text(*crmf->cert_template.issuer)
                                                         : "none";
}
std::string see_key(const Facts& facts) {
    const ra::Bytes spki = facts.asked.front().public_key();
    if (spki.empty()) return "none";
    const auto key = ra::crypto::PublicKey::from_spki(spki);
    if (!key) return "not a key we know";
    return std::string(key->facts().family) + " " + std::string(key->facts().curve) + " " +
           std::to_string(key->facts().bits) + " bit";
}
std::string see_signer(const Facts& facts) {
    if (facts.origin.signer == nullptr) return "MAC of " + name_text(facts.sender.subject);
    return name_text(facts.sender.subject) + " serial " +
           ra::to_hex(facts.origin.signer->view().serial);
}
std::string see_cert_profile(const Facts& facts) {
    const auto name = facts.message.header.cert_profile();
    const auto plain =
        name ? plain_text(ra::asn1::Tag::utf8_string, ra::as_bytes(*name)) : std::nullopt;
    return plain ? std::string(*plain) : "not one readable name";
}
template <const ra::asn1::Oid& Id>
std::string see_extension(const Facts& facts) {
    const auto value = find_extension(facts.asked.front().extensions(), Id.view());
    return value ? "#" + ra::to_hex(*value) : "none";
}

constexpr std::array kRules{
    NamedRule{"signer-revoked", always, judge_signer_revoked, see_signer},
    NamedRule{"protection-kind", [](const Facts& f) { return is_kur(f) || is_rr(f); },
              judge_protection_kind, see_signer},
    NamedRule{"body-not-judged", always, judge_body, see_type},
    NamedRule{"request-count", always, judge_counts, see_count},
    NamedRule{"duplicate-element", always, judge_duplicates, see_elements},
    NamedRule{"unlisted-element", always, judge_unlisted, see_elements},
    NamedRule{"template-field", [](const Facts& f) { return asks(f) || is_rr(f); },
              judge_template_fields, see_count},
    NamedRule{"implicit-confirm", has_implicit_confirm, judge_implicit_confirm, see_type},
    NamedRule{"cert-profile", has_cert_profile, judge_cert_profile, see_cert_profile},
    NamedRule{"central-key-generation", asks, judge_central_key_generation, see_key},
    NamedRule{"key", asks, judge_key, see_key},
    NamedRule{"duplicate-key", asks, judge_duplicate_key, see_key},
    NamedRule{"issuer", asks, judge_issuer, see_issuer},
    NamedRule{"old-cert-id", has_old_cert_id, judge_old_cert_id, see_signer},
    NamedRule{"kur-names", is_kur, judge_kur_names, see_signer},
    NamedRule{"subject", asks, judge_subject, see_subject},
    NamedRule{"subject-alt-name",
              [](const Facts& f) { return has_extension(f, oid::kSubjectAltName); },
              judge_alt_names, see_extension<oid::kSubjectAltName>},
    NamedRule{"key-usage", [](const Facts& f) { return has_extension(f, oid::kKeyUsage); },
              judge_key_usage, see_extension<oid::kKeyUsage>},
    NamedRule{"extended-key-usage",
              [](const Facts& f) { return has_extension(f, oid::kExtKeyUsage); },
              judge_extended_key_usage, see_extension<oid::kExtKeyUsage>},
    NamedRule{"basic-constraints",
              [](const Facts& f) { return has_extension(f, oid::kBasicConstraints); },
              judge_basic_constraints, see_extension<oid::kBasicConstraints>},
    NamedRule{"validity", asks, judge_validity, see_type},
    NamedRule{"revocation", is_rr, judge_revocation, see_signer},
    NamedRule{"genm-kind", is_genm, judge_genm, see_type},
    NamedRule{"cert-status", is_cert_conf, judge_cert_status, see_type},
    NamedRule{"treatment", always, judge_treatment, see_treatment},
};

}  // namespace

std::span<const NamedRule> rules() noexcept { return kRules; }

std::optional<ByteView> Asked::subject() const noexcept {
    return crmf != nullptr ? crmf->cert_template.subject : std::optional{p10->subject};
}

const std::vector<ra::cmp::Extension>& Asked::extensions() const noexcept {
    return crmf != nullptr ? crmf->cert_template.extensions : p10->extensions;
}

ra::Bytes Asked::public_key() const {
    if (p10 != nullptr) return ra::to_bytes(p10->public_key.whole);
    return crmf->cert_template.wants_central_key_generation()
               ? ra::Bytes{}
               : crmf->cert_template.public_key_der();
}

std::vector<Asked> asked_in(const Body& body) {
    std::vector<Asked> out;
    if (const auto* requests = std::get_if<std::vector<ra::cmp::CertReqMsg>>(&body)) {
        for (const ra::cmp::CertReqMsg& one : *requests) out.push_back({&one, nullptr});
    } else if (const auto* request = std::get_if<ra::cmp::CertificationRequest>(&body)) {
        out.push_back({nullptr, request});
    }
    return out;
}

Facts facts_of(const ProvenRequest& request, ra::WallTime now, const InventoryFacts& known) {
    const Origin& origin = request.origin();
    const Sender sender{origin.subject, origin.ra_authority && request.profile().ra.any_subject};
    return {request.message(),
            request.profile(),
            origin,
            request.body(),
            sender,
            asked_in(request.body()),
            now,
            known};
}

Decision decide(const ProvenRequest& request, ra::WallTime now, const InventoryFacts& known) {
    if (!request.origin().verified) {
        // What could not be verified passes only where the profile says so in as many words (S-10).
        if (request.profile().origin.kind == OriginSettings::Kind::opaque) return Permit{};
        return Refuse{"origin", PKIFailureInfo::notAuthorized, "sender not verified", false};
    }
    const Facts facts = facts_of(request, now, known);
    for (const NamedRule& rule : kRules) {
        if (!rule.applies(facts)) continue;
        if (Decision decision = rule.judge(facts); std::holds_alternative<Refuse>(decision))
            return decision;
    }
    return Permit{};
}

std::vector<RuleVerdict> explain(const ProvenRequest& request, ra::WallTime now,
                                 const InventoryFacts& known) {
    std::vector<RuleVerdict> out;
    if (!request.origin().verified) {
        out.push_back({"origin", true, decide(request, now),
                       "origin is opaque: no rule looks at the content"});
        return out;
    }
    const Facts facts = facts_of(request, now, known);
    for (const NamedRule& rule : kRules) {
        const bool applies = rule.applies(facts);
        out.push_back({rule.name, applies, applies ? rule.judge(facts) : Decision{Permit{}},
                       applies ? rule.looked_at(facts) : std::string{}});
    }
    return out;
}

}  // namespace policy
