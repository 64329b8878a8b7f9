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
using ra::asn1::Tag;

bool asks_for_certificate(BodyType type) noexcept {
    return ra::cmp::is_cert_request(type) || type == BodyType::p10cr;
}

/// CertId ::= SEQUENCE { issuer GeneralName, serialNumber INTEGER }: the certificate that protects?
ra::Result<bool> names_signer(ByteView cert_id, const ra::asn1::CertificateView& signer) {
    ra::asn1::DerReader outer{cert_id};
    RA_TRY(const ByteView content, outer.read(Tag::sequence, "oldCertID"));
    RA_TRY_VOID(outer.expect_end("oldCertID"));
    ra::asn1::DerReader fields = outer.inside(content);
    RA_TRY(const ra::asn1::Tlv issuer, fields.read_any("issuer"));
    RA_TRY(const ByteView serial, fields.read_big_integer("serialNumber"));
    RA_TRY_VOID(fields.expect_end("oldCertID"));
    const auto name = ra::cmp::directory_name(issuer.whole);
    return name && same_name(*name, signer.issuer) && ra::equal(serial, signer.serial);
}

}  // namespace

Decision judge_implicit_confirm(const Facts& facts) {
    constexpr std::string_view kRule = "implicit-confirm";
    if (!asks_for_certificate(facts.type())) {
        // RFC 9810 5.1.1.1 gives it no meaning elsewhere; a CA could take it for one.
        return refuse(kRule, PKIFailureInfo::badRequest,
                      "implicitConfirm in " + std::string(to_string(facts.type())));
    }
    if (!facts.profile.rules.implicit_confirm)
        return refuse(kRule, PKIFailureInfo::unacceptedPolicy, "implicitConfirm is not permitted");
    return Permit{};
}

/// The name chooses what the CA grants, so it must be one the profile was written for.
Decision judge_cert_profile(const Facts& facts) {
    constexpr std::string_view kRule = "cert-profile";
    // It belongs into what begins a transaction; OpenSSL 3.3 and later repeat it in what follows,
    // where it chooses nothing any more.
    const bool has_place = asks_for_certificate(facts.type()) || facts.type() == BodyType::genm ||
                           facts.type() == BodyType::certConf || facts.type() == BodyType::pollReq;
    if (!has_place)
        return refuse(kRule, PKIFailureInfo::badRequest,
                      "certProfile in " + std::string(to_string(facts.type())));
    const auto name = facts.message.header.cert_profile();
    if (!name)
        return refuse(kRule, PKIFailureInfo::badRequest, "not exactly one certProfile (S-15)");
    const auto& listed = facts.profile.match.cert_profiles;
    if (std::find(listed.begin(), listed.end(), *name) != listed.end()) return Permit{};
    if (facts.profile.require_profile_equals_label)
        return Permit{};  // select() compared it with the label
    return refuse(kRule, PKIFailureInfo::unacceptedPolicy, "certProfile is not listed in match");
}

/// these are about the certificate that protects them; a MAC names none.
Decision judge_protection_kind(const Facts& facts) {
    if (facts.origin.signer != nullptr) return Permit{};
    return Refuse{"protection-kind", PKIFailureInfo::wrongIntegrity,
                  std::string(to_string(facts.type())) +
                      " under a MAC: it is signed with the certificate it is about (R-143, R-145)",
                  false};
}

Decision judge_old_cert_id(const Facts& facts) {
    constexpr std::string_view kRule = "old-cert-id";
    for (const Asked& asked : facts.asked) {
        if (asked.crmf == nullptr) continue;
        for (const ra::cmp::AttributeTypeAndValue& control : asked.crmf->controls) {
            if (!(ra::cmp::oid::kOldCertId == control.type)) continue;
            if (facts.origin.signer == nullptr)
                return refuse_body(kRule, PKIFailureInfo::badCertId,
                                   "oldCertID under a MAC: no certificate protects this (R-145)");
            const auto same = names_signer(control.value, facts.origin.signer->view());
            if (!same)
                return refuse_body(kRule, PKIFailureInfo::badDataFormat, error_text(same.error()));
            if (!*same)
                return refuse_body(kRule, PKIFailureInfo::badCertId,
                                   "oldCertID is not the protecting certificate (R-145)");
        }
    }
    return Permit{};
}

/// a new key and new dates, nothing else.
Decision judge_kur_names(const Facts& facts) {
    constexpr std::string_view kRule = "kur-names";
    if (facts.origin.signer == nullptr) return judge_protection_kind(facts);
    const ra::asn1::CertificateView& updated = facts.origin.signer->view();
    for (const Asked& asked : facts.asked) {
        const auto subject = asked.subject();
        if (subject && !same_name(*subject, updated.subject)) {
            return refuse_body(
                kRule, PKIFailureInfo::badCertTemplate,
                name_text(*subject) + " is not the subject of the certificate being updated");
        }
        const auto wanted = find_extension(asked.extensions(), oid::kSubjectAltName.view());
        const auto present = updated.extension(oid::kSubjectAltName.view());
        if (wanted && (!present || !ra::equal(*wanted, *present))) {
            return refuse_body(kRule, PKIFailureInfo::badCertTemplate,
                               "subjectAltName is not that of the certificate being updated");
        }
    }
    return Permit{};
}

/// the sender's own certificate, or authority over others'.
Decision judge_revocation(const Facts& facts) {
    constexpr std::string_view kRule = "revocation";
    if (facts.origin.signer == nullptr) return judge_protection_kind(facts);
    const ra::asn1::CertificateView& own = facts.origin.signer->view();
    const auto& listed = facts.profile.rules.rr_senders;
    const bool for_others =
        (facts.origin.ra_authority && facts.profile.ra.rr_for_others) ||
        std::any_of(listed.begin(), listed.end(),
                    [&own](const NamePattern& one) { return matches(one, own.subject, Sender{}); });
    const auto* revocations = std::get_if<std::vector<ra::cmp::RevDetails>>(&facts.body);
    if (revocations == nullptr) return Permit{};
    for (const ra::cmp::RevDetails& one : *revocations) {
        if (!one.cert_details.issuer || !one.cert_details.serial_number) {
            return refuse_body(kRule, PKIFailureInfo::badCertId,
                               "issuer or serialNumber is missing");
        }
        const bool is_own = same_name(*one.cert_details.issuer, own.issuer) &&
                            ra::equal(*one.cert_details.serial_number, own.serial);
        if (!is_own && !for_others) {
            return refuse_body(kRule, PKIFailureInfo::notAuthorized,
                               "serialNumber " + ra::to_hex(*one.cert_details.serial_number) +
                                   " is not the sender's certificate (R-143)");
        }
        if (!one.reason) continue;
        const auto& permitted = facts.profile.rules.rr_reasons;
        if (*one.reason < 0 || *one.reason >= static_cast<std::int64_t>(permitted.size()) ||
            !permitted.test(static_cast<std::size_t>(*one.reason))) {
            return refuse_body(kRule, PKIFailureInfo::badRequest,
                               "reason " + std::to_string(*one.reason) + " is not permitted");
        }
    }
    return Permit{};
}

Decision judge_genm(const Facts& facts) {
    const auto* infos = std::get_if<std::vector<ra::cmp::InfoTypeAndValue>>(&facts.body);
    if (infos == nullptr) return Permit{};
    for (const ra::cmp::InfoTypeAndValue& info : *infos) {
        if (!is_listed(facts.profile.rules.genm_kinds, info.type)) {
            return refuse("genm-kind", PKIFailureInfo::badRequest,
                          ra::asn1::oid_name(info.type) + " is not listed");
        }
        // RFC 9483 4.3.1, 4.3.3: these ask and say nothing.
        const bool bare =
            ra::cmp::oid::kCaCerts == info.type || ra::cmp::oid::kCertReqTemplate == info.type;
        if (bare && !info.value.empty()) {
            return refuse("genm-kind", PKIFailureInfo::badRequest,
                          ra::asn1::oid_name(info.type) + " with a value (S-15)");
        }
    }
    return Permit{};
}

/// What certConf says of the certificate (RFC 9810 5.3.18). Whether certHash and certReqId are
/// those of the certificate the CA knows.
Decision judge_cert_status(const Facts& facts) {
    constexpr std::string_view kRule = "cert-status";
    using ra::cmp::PKIStatus;
    const auto* states = std::get_if<std::vector<ra::cmp::CertStatus>>(&facts.body);
    if (states == nullptr) return Permit{};
    for (const ra::cmp::CertStatus& one : *states) {
        if (one.hash_alg && facts.message.header.pvno != 3)
            return refuse(kRule, PKIFailureInfo::badDataFormat, "hashAlg needs pvno 3");
        if (!one.status_info) continue;
        const PKIStatus status = one.status_info->status;
        if (status != PKIStatus::accepted && status != PKIStatus::rejection) {
            return refuse(kRule, PKIFailureInfo::badRequest,
                          "status " + std::string(to_string(status)) + " in certConf");
        }
        if (one.status_info->fail_info && status != PKIStatus::rejection)
            return refuse(kRule, PKIFailureInfo::badRequest, "failInfo without rejection");
    }
    return Permit{};
}

}  // namespace policy
