#include <algorithm>

#include "policy/distinguished_name.h"
#include "policy/extension_values.h"
#include "policy/rules.h"
#include "policy/text.h"
#include "ra/asn1/certificate.h"
#include "ra/asn1/oids.h"
#include "ra/crypto/public_key.h"

/// S-13: what the CA issued against what was asked and what the profile permits. A difference the
/// CA announces (grantedWithMods) may narrow or stay within the profile; it never goes beyond it.
namespace policy {
namespace {

using ra::ByteView;
using ra::asn1::CertificateView;

Decision wrong(std::string_view rule, std::string detail) {
    return refuse(rule, PKIFailureInfo::systemFailure, std::move(detail));
}

Decision malformed(std::string_view rule, const ra::Error& error) {
    return wrong(rule, error_text(error));
}

ra::Result<Body> parse_request(const ra::cmp::PKIMessage& message, const ra::cmp::Limits& limits) {
    const auto at = static_cast<std::size_t>(message.content.data() - message.whole.data());
    if (message.type == BodyType::p10cr) {
        RA_TRY(auto request, ra::cmp::parse_certification_request(message.content, at, limits));
        return Body{std::move(request)};
    }
    RA_TRY(auto requests, ra::cmp::parse_cert_req_messages(message.content, at, limits));
    if (requests.size() != 1) return ra::fail(ra::Errc::too_many, "CertReqMessages", at);
    return Body{std::move(requests)};
}

Decision check_key(const CertificateView& issued, const Asked& asked) {
    const ra::Bytes wanted = asked.public_key();
    if (wanted.empty() || ra::crypto::same_public_key(issued.spki, wanted)) return Permit{};
    return wrong("issued-key", "the certificate has another public key than was asked for");
}

Decision check_subject(const CertificateView& issued, const Asked& asked, const Sender& sender,
                       const Rules& rules, bool mods) {
    const auto wanted = asked.subject();
    if (wanted && same_name(issued.subject, *wanted)) return Permit{};
    if (mods && permits_subject(rules, issued.subject, sender)) return Permit{};
    return wrong("issued-subject", name_text(issued.subject) + " instead of " +
                                       (wanted ? name_text(*wanted) : "none"));
}

Decision check_alt_names(const CertificateView& issued, const Asked& asked, const Sender& sender,
                         const Rules& rules, bool mods) {
    constexpr std::string_view kRule = "issued-subject-alt-name";
    const auto value = issued.extension(oid::kSubjectAltName.view());
    if (!value) return Permit{};
    const auto names = read_alt_names(*value);
    if (!names) return malformed(kRule, names.error());
    std::vector<AltName> wanted;
    if (const auto asked_value = find_extension(asked.extensions(), oid::kSubjectAltName.view())) {
        auto parsed = read_alt_names(*asked_value);
        if (parsed) wanted = std::move(*parsed);
    }
    for (const AltName& name : *names) {
        const bool was_asked =
            std::any_of(wanted.begin(), wanted.end(),
                        [&name](const AltName& one) { return ra::equal(one.whole, name.whole); });
        if (was_asked || (mods && permits_alt_name(rules, name.choice, name.content, sender)))
            continue;
        return wrong(kRule, "type [" + std::to_string(name.choice) + "] #" +
                                ra::to_hex(name.content) + " was not asked for");
    }
    return Permit{};
}

/// A purpose the profile lists may be added by the CA; none that is neither listed nor was asked
/// for (by the device, which was judged, or by the profile's `amend`), and none may be lifted.
Decision check_purposes(const CertificateView& issued, const Asked& asked, const Rules& rules) {
    constexpr std::string_view kRule = "issued-extended-key-usage";
    const auto value = issued.extension(oid::kExtKeyUsage.view());
    const auto asked_value = find_extension(asked.extensions(), oid::kExtKeyUsage.view());
    if (!value) {
        if (asked_value) return wrong(kRule, "asked for with extKeyUsage, issued for any purpose");
        return Permit{};
    }
    const auto purposes = read_ext_key_usage(*value);
    if (!purposes) return malformed(kRule, purposes.error());
    std::vector<ByteView> wanted;
    if (asked_value) {
        if (auto parsed = read_ext_key_usage(*asked_value)) wanted = std::move(*parsed);
    }
    for (const ByteView purpose : *purposes) {
        const bool was_asked = std::any_of(wanted.begin(), wanted.end(), [&](const ByteView one) {
            return ra::equal(one, purpose);
        });
        if (!was_asked && !is_listed(rules.eku, purpose))
            return wrong(kRule, ra::asn1::oid_name(purpose) + " is not listed");
    }
    return Permit{};
}

Decision check_authority(const CertificateView& issued, const Asked& asked, const Rules& rules) {
    if (const auto value = issued.extension(oid::kBasicConstraints.view())) {
        const auto ca = read_is_ca(*value);
        if (!ca) return malformed("issued-ca", ca.error());
        if (*ca && !rules.ca) return wrong("issued-ca", "the certificate is one of a CA");
    }
    if (const auto value = issued.extension(oid::kKeyUsage.view())) {
        const auto usage = read_key_usage(*value);
        if (!usage) return malformed("issued-key-usage", usage.error());
        unsigned permitted = rules.key_usage;
        if (const auto wanted = find_extension(asked.extensions(), oid::kKeyUsage.view())) {
            if (const auto bits = read_key_usage(*wanted)) permitted |= *bits;
        }
        const unsigned surplus = *usage & ~permitted;
        if (surplus != 0)
            return wrong("issued-key-usage", "keyUsage bits beyond what the profile permits");
    }
    return Permit{};
}

Decision check_validity(const CertificateView& issued, const Asked& asked, const Rules& rules) {
    constexpr std::string_view kRule = "issued-validity";
    if (issued.not_after < issued.not_before) return wrong(kRule, "notAfter before notBefore");
    if (rules.max_validity && issued.not_after - issued.not_before > *rules.max_validity) {
        return wrong(kRule, std::to_string((issued.not_after - issued.not_before).count()) +
                                " s, " + std::to_string(rules.max_validity->count()) +
                                " s permitted");
    }
    if (asked.crmf == nullptr || !asked.crmf->cert_template.validity) return Permit{};
    const auto& wanted = asked.crmf->cert_template.validity->not_after;
    if (wanted && issued.not_after > *wanted)
        return wrong(kRule, "valid for longer than was asked");
    return Permit{};
}

}  // namespace

Decision check_issued(const Profile& profile, const CertificateView& issued, ByteView request_der,
                      ByteView sender_subject, const ra::cmp::Limits& limits,
                      bool granted_with_mods) {
    const auto message = ra::cmp::parse_pki_message(request_der, limits);
    if (!message) return malformed("issued-request", message.error());
    const auto body = parse_request(*message, limits);
    if (!body) return malformed("issued-request", body.error());
    const Asked asked = asked_in(*body).front();
    const Sender sender{sender_subject, false};

    const Rules& rules = profile.rules;
    Decision decisions[] = {
        check_key(issued, asked),
        check_subject(issued, asked, sender, rules, granted_with_mods),
        check_alt_names(issued, asked, sender, rules, granted_with_mods),
        check_purposes(issued, asked, rules),
        check_authority(issued, asked, rules),
        check_validity(issued, asked, rules),
    };
    for (Decision& decision : decisions) {
        if (std::holds_alternative<Refuse>(decision)) return std::move(decision);
    }
    return Permit{};
}

}  // namespace policy
