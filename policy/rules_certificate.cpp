#include <algorithm>

#include "policy/distinguished_name.h"
#include "policy/extension_values.h"
#include "policy/rules.h"
#include "policy/text.h"
#include "ra/asn1/oids.h"
#include "ra/cmp/oids.h"

namespace policy {
namespace {

using ra::ByteView;

constexpr unsigned kRfc822Name = 1;
constexpr unsigned kDnsName = 2;
constexpr unsigned kUri = 6;
constexpr unsigned kIpAddress = 7;

template <class Pattern, class Value>
bool any_matches(const std::vector<Pattern>& patterns, const Value& value, const Sender& sender) {
    return std::any_of(patterns.begin(), patterns.end(),
                       [&](const Pattern& one) { return matches(one, value, sender); });
}

std::string alt_name_text(const AltName& name) {
    static constexpr std::string_view kChoices[] = {"otherName",   "rfc822Name",    "dNSName",
                                                    "x400Address", "directoryName", "ediPartyName",
                                                    "URI",         "iPAddress",     "registeredID"};
    std::string out(name.choice < std::size(kChoices) ? kChoices[name.choice] : "unknown");
    const bool text = name.choice == kRfc822Name || name.choice == kDnsName || name.choice == kUri;
    const auto plain = text ? plain_text(ra::asn1::Tag::ia5_string, name.content) : std::nullopt;
    return out + " " + (plain ? std::string(*plain) : "#" + ra::to_hex(name.content));
}

Decision malformed(std::string_view rule, const ra::Error& error) {
    return refuse_body(rule, PKIFailureInfo::badCertTemplate, error_text(error));
}

}  // namespace

bool permits_subject(const Rules& rules, ByteView subject, const Sender& sender) {
    if (!rules.subjects.empty()) return any_matches(rules.subjects, subject, sender);
    return !sender.subject.empty() && same_name(subject, sender.subject);
}

bool permits_alt_name(const Rules& rules, unsigned choice, ByteView content, const Sender& sender) {
    switch (choice) {
        case kDnsName:
            return any_matches(rules.san_dns, ra::as_text(content), sender);
        case kRfc822Name:
            return any_matches(rules.san_email, ra::as_text(content), sender);
        case kUri:
            return any_matches(rules.san_uri, ra::as_text(content), sender);
        case kIpAddress:
            return std::any_of(rules.san_ip.begin(), rules.san_ip.end(),
                               [content](const IpRange& one) { return matches(one, content); });
        default:
            return false;  // no way to list it (S-14)
    }
}

/// S-14, R-052: the name the profile permits to this sender.
Decision judge_subject(const Facts& facts) {
    for (const Asked& asked : facts.asked) {
        const auto subject = asked.subject();
        if (!subject)
            return refuse_body("subject", PKIFailureInfo::badCertTemplate, "subject is missing");
        if (permits_subject(facts.profile.rules, *subject, facts.sender)) continue;
        // Somebody else's name is a matter of authority, a name no pattern has one of the template.
        const bool own = facts.profile.rules.subjects.empty();
        return refuse_body(
            "subject", own ? PKIFailureInfo::notAuthorized : PKIFailureInfo::badCertTemplate,
            name_text(*subject) + (own ? " is not the sender's subject" : " matches no pattern") +
                " for " + name_text(facts.sender.subject));
    }
    return Permit{};
}

Decision judge_alt_names(const Facts& facts) {
    for (const Asked& asked : facts.asked) {
        const auto value = find_extension(asked.extensions(), oid::kSubjectAltName.view());
        if (!value) continue;
        const auto names = read_alt_names(*value);
        if (!names) return malformed("subject-alt-name", names.error());
        for (const AltName& name : *names) {
            if (permits_alt_name(facts.profile.rules, name.choice, name.content, facts.sender))
                continue;
            return refuse_body("subject-alt-name", PKIFailureInfo::badCertTemplate,
                               alt_name_text(name) + " is not permitted");
        }
    }
    return Permit{};
}

/// The CA a template names: a listed one, or that of the sender's own certificate, which stock
/// clients fill in by themselves. It grants nothing: where the request goes is the profile's to
/// say.
Decision judge_issuer(const Facts& facts) {
    for (const Asked& asked : facts.asked) {
        if (asked.crmf == nullptr || !asked.crmf->cert_template.issuer) continue;
        const ByteView issuer = *asked.crmf->cert_template.issuer;
        const ra::crypto::Certificate* const signer = facts.origin.signer.get();
        const bool of_sender = signer != nullptr && same_name(issuer, signer->view().issuer);
        if (!of_sender && !any_matches(facts.profile.rules.issuers, issuer, Sender{})) {
            return refuse_body("issuer", PKIFailureInfo::wrongAuthority,
                               name_text(issuer) + " is not listed");
        }
    }
    return Permit{};
}

Decision judge_key(const Facts& facts) {
    for (const Asked& asked : facts.asked) {
        const ra::Bytes spki = asked.public_key();
        if (spki.empty()) continue;
        const auto key = ra::crypto::PublicKey::from_spki(spki);
        if (!key) {
            const bool unknown = key.error().code == ra::Errc::unsupported;
            return refuse_body("key",
                               unknown ? PKIFailureInfo::badAlg : PKIFailureInfo::badCertTemplate,
                               error_text(key.error()));
        }
        const ra::crypto::KeyFacts& have = key->facts();
        const auto& keys = facts.profile.rules.keys;
        if (std::any_of(keys.begin(), keys.end(),
                        [&have](const KeyPattern& one) { return matches(one, have); }))
            continue;
        return refuse_body("key", PKIFailureInfo::badCertTemplate,
                           std::string(have.family) + " " + std::string(have.curve) + " of " +
                               std::to_string(have.bits) + " bit is not listed");
    }
    return Permit{};
}

Decision judge_central_key_generation(const Facts& facts) {
    for (const Asked& asked : facts.asked) {
        if (asked.crmf == nullptr || !asked.crmf->cert_template.wants_central_key_generation())
            continue;
        if (!facts.profile.rules.central_key_generation) {
            return refuse_body("central-key-generation", PKIFailureInfo::badCertTemplate,
                               "no public key, and keys are not made centrally");
        }
        if (facts.message.header.pvno != 3) {
            return refuse_body("central-key-generation", PKIFailureInfo::unsupportedVersion,
                               "needs pvno 3 (R-120)");
        }
    }
    return Permit{};
}

Decision judge_key_usage(const Facts& facts) {
    for (const Asked& asked : facts.asked) {
        const auto value = find_extension(asked.extensions(), oid::kKeyUsage.view());
        if (!value) continue;
        const auto usage = read_key_usage(*value);
        if (!usage) return malformed("key-usage", usage.error());
        const unsigned surplus = *usage & ~static_cast<unsigned>(facts.profile.rules.key_usage);
        if (surplus != 0) {
            unsigned bit = 0;
            while (((surplus >> bit) & 1U) == 0) ++bit;
            return refuse_body("key-usage", PKIFailureInfo::badCertTemplate,
                               "keyUsage bit " + std::to_string(bit) + " is not permitted");
        }
    }
    return Permit{};
}

/// R-162: cmcCA, cmcRA and cmKGA are refused like any other purpose that is not listed.
Decision judge_extended_key_usage(const Facts& facts) {
    for (const Asked& asked : facts.asked) {
        const auto value = find_extension(asked.extensions(), oid::kExtKeyUsage.view());
        if (!value) continue;
        const auto purposes = read_ext_key_usage(*value);
        if (!purposes) return malformed("extended-key-usage", purposes.error());
        for (const ByteView purpose : *purposes) {
            if (!is_listed(facts.profile.rules.eku, purpose)) {
                return refuse_body("extended-key-usage", PKIFailureInfo::badCertTemplate,
                                   ra::asn1::oid_name(purpose) + " is not listed");
            }
        }
    }
    return Permit{};
}

Decision judge_basic_constraints(const Facts& facts) {
    for (const Asked& asked : facts.asked) {
        const auto value = find_extension(asked.extensions(), oid::kBasicConstraints.view());
        if (!value) continue;
        const auto ca = read_is_ca(*value);
        if (!ca) return malformed("basic-constraints", ca.error());
        if (*ca && !facts.profile.rules.ca)
            return refuse_body("basic-constraints", PKIFailureInfo::badCertTemplate, "cA is TRUE");
    }
    return Permit{};
}

Decision judge_validity(const Facts& facts) {
    constexpr std::string_view kRule = "validity";
    const Rules& rules = facts.profile.rules;
    for (const Asked& asked : facts.asked) {
        if (asked.crmf == nullptr || !asked.crmf->cert_template.validity) continue;
        const ra::cmp::OptionalValidity& wanted = *asked.crmf->cert_template.validity;
        const ra::WallTime from = wanted.not_before.value_or(facts.now);
        if (from + rules.max_backdate < facts.now)
            return refuse_body(kRule, PKIFailureInfo::badCertTemplate, "notBefore is too long ago");
        if (!wanted.not_after) continue;
        if (*wanted.not_after <= facts.now || *wanted.not_after <= from)
            return refuse_body(kRule, PKIFailureInfo::badCertTemplate, "notAfter is over already");
        if (rules.max_validity && *wanted.not_after - from > *rules.max_validity) {
            return refuse_body(kRule, PKIFailureInfo::badCertTemplate,
                               std::to_string((*wanted.not_after - from).count()) + " s asked, " +
                                   std::to_string(rules.max_validity->count()) + " s permitted");
        }
    }
    return Permit{};
}

}  // namespace policy
