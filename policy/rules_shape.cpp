#include <algorithm>

#include "policy/extension_values.h"
#include "policy/rules.h"
#include "policy/text.h"
#include "ra/asn1/oids.h"
#include "ra/cmp/oids.h"

namespace policy {
namespace {

using ra::ByteView;
using ra::asn1::oid_name;
using ra::cmp::AttributeTypeAndValue;
using ra::cmp::RevDetails;

constexpr std::string_view kUnlisted = "unlisted-element";
constexpr std::string_view kDuplicate = "duplicate-element";

/// Elements of generalInfo that have a rule of their own or say nothing that could grant: the
/// protocol's own confirmation and language switches.
bool is_known_general_info(ByteView type) noexcept {
    return ra::cmp::oid::kImplicitConfirm == type || ra::cmp::oid::kConfirmWaitTime == type ||
           ra::cmp::oid::kCertProfile == type || oid::kSuppLangTags == type;
}

bool is_ruled_extension(ByteView id) noexcept {
    return oid::kSubjectAltName == id || oid::kKeyUsage == id || oid::kExtKeyUsage == id ||
           oid::kBasicConstraints == id;
}

Decision unlisted(PKIFailureInfo info, std::string_view where, ByteView oid) {
    return refuse_body(kUnlisted, info,
                       std::string(where) + " " + oid_name(oid) + " is not listed (S-15)");
}

template <class List, class Get>
std::optional<ByteView> repeated(const List& list, Get get) {
    for (auto one = list.begin(); one != list.end(); ++one) {
        if (std::any_of(list.begin(), one,
                        [&](const auto& before) { return ra::equal(get(before), get(*one)); }))
            return get(*one);
    }
    return std::nullopt;
}

Decision judge_general_info(const Facts& facts) {
    if (!facts.message.header.general_info) return Permit{};
    ra::asn1::DerReader infos{*facts.message.header.general_info};
    while (!infos.at_end()) {
        const auto info = infos.read(ra::asn1::Tag::sequence, "generalInfo");
        if (!info)
            return refuse(kUnlisted, PKIFailureInfo::badDataFormat, error_text(info.error()));
        const auto type = ra::asn1::DerReader{*info}.read_oid("infoType");
        if (!type)
            return refuse(kUnlisted, PKIFailureInfo::badDataFormat, error_text(type.error()));
        if (!is_known_general_info(*type) && !is_listed(facts.profile.rules.general_info, *type)) {
            return refuse(kUnlisted, PKIFailureInfo::badRequest,
                          "generalInfo " + oid_name(*type) + " is not listed (S-15)");
        }
    }
    return Permit{};
}

Decision judge_crmf_elements(const Facts& facts, const ra::cmp::CertReqMsg& request) {
    const Rules& rules = facts.profile.rules;
    for (const AttributeTypeAndValue& control : request.controls) {
        // A second template would be granted without having been judged: never listed.
        const bool alternative = ra::cmp::oid::kAltCertTemplate == control.type;
        const bool own_rule =
            ra::cmp::oid::kOldCertId == control.type && facts.type() == BodyType::kur;
        if (alternative || (!own_rule && !is_listed(rules.controls, control.type))) {
            return unlisted(PKIFailureInfo::badCertTemplate, "control", control.type);
        }
    }
    for (const AttributeTypeAndValue& info : request.reg_info) {
        if (oid::kRegInfoCertReq == info.type || !is_listed(rules.reg_info, info.type)) {
            return unlisted(PKIFailureInfo::badCertTemplate, "regInfo", info.type);
        }
    }
    return Permit{};
}

/// Only the types that a profile has lists for (S-14).
Decision judge_alt_name_types(ByteView value) {
    const auto names = read_alt_names(value);
    if (!names) return Permit{};  // the rule subject-alt-name says what is wrong
    for (const AltName& name : *names) {
        const bool has_list =
            name.choice == 1 || name.choice == 2 || name.choice == 6 || name.choice == 7;
        if (!has_list)
            return refuse_body(kUnlisted, PKIFailureInfo::badCertTemplate,
                               "subjectAltName of type [" + std::to_string(name.choice) +
                                   "] cannot be listed (S-14)");
    }
    return Permit{};
}

}  // namespace

bool is_listed(const std::vector<ra::Bytes>& list, ByteView oid) noexcept {
    return std::any_of(list.begin(), list.end(),
                       [oid](const ra::Bytes& one) { return ra::equal(one, oid); });
}

/// What is not judged is not let through: these bodies are for opaque profiles.
Decision judge_body(const Facts& facts) {
    if (!std::holds_alternative<std::monostate>(facts.body)) return Permit{};
    return refuse("body-not-judged", PKIFailureInfo::badRequest,
                  std::string(to_string(facts.type())) + " is relayed by opaque profiles only");
}

/// An empty certConf rejects all certificates (RFC 9810 5.3.18).
Decision judge_counts(const Facts& facts) {
    std::size_t count = 1;
    bool fits = true;
    if (!facts.asked.empty()) {
        count = facts.asked.size();
        fits = count == 1;
    } else if (const auto* revocations = std::get_if<std::vector<RevDetails>>(&facts.body)) {
        count = revocations->size();
        fits = count == 1;
    } else if (const auto* infos =
                   std::get_if<std::vector<ra::cmp::InfoTypeAndValue>>(&facts.body)) {
        count = infos->size();
        fits = count == 1;
    } else if (const auto* states = std::get_if<std::vector<ra::cmp::CertStatus>>(&facts.body)) {
        count = states->size();
        fits = count <= 1;
    } else if (const auto* polls = std::get_if<std::vector<std::int64_t>>(&facts.body)) {
        count = polls->size();
        fits = count == 1;
    }
    if (!fits)
        return refuse_body("request-count", PKIFailureInfo::badDataFormat,
                           std::to_string(count) + " elements where one is allowed (R-026)");
    if (!facts.asked.empty() && facts.asked[0].crmf != nullptr &&
        facts.asked[0].crmf->cert_req_id != 0) {
        return refuse_body(
            "request-count", PKIFailureInfo::badDataFormat,
            "certReqId " + std::to_string(facts.asked[0].crmf->cert_req_id) + ", not 0 (R-026)");
    }
    return Permit{};
}

Decision judge_unlisted(const Facts& facts) {
    if (Decision header = judge_general_info(facts); std::holds_alternative<Refuse>(header))
        return header;
    const Rules& rules = facts.profile.rules;
    for (const Asked& asked : facts.asked) {
        if (asked.crmf != nullptr) {
            if (Decision crmf = judge_crmf_elements(facts, *asked.crmf);
                std::holds_alternative<Refuse>(crmf))
                return crmf;
        } else {
            for (const ByteView attribute : asked.p10->other_attributes) {
                const bool extensions_again = ra::cmp::oid::kExtensionRequest == attribute ||
                                              oid::kMsExtensionRequest == attribute;
                if (extensions_again || !is_listed(rules.attributes, attribute)) {
                    return unlisted(PKIFailureInfo::badCertTemplate, "attribute", attribute);
                }
            }
        }
        for (const ra::cmp::Extension& extension : asked.extensions()) {
            if (!is_ruled_extension(extension.id) && !is_listed(rules.extensions, extension.id)) {
                return unlisted(PKIFailureInfo::unacceptedExtension, "extension", extension.id);
            }
            if (oid::kSubjectAltName == extension.id) {
                if (Decision names = judge_alt_name_types(extension.value);
                    std::holds_alternative<Refuse>(names))
                    return names;
            }
        }
    }
    if (const auto* revocations = std::get_if<std::vector<RevDetails>>(&facts.body)) {
        for (const RevDetails& one : *revocations) {
            for (const ra::cmp::Extension& extension : one.crl_entry_details) {
                if (!(oid::kReasonCode == extension.id))
                    return unlisted(PKIFailureInfo::unacceptedExtension, "crlEntryDetails",
                                    extension.id);
            }
        }
    }
    return Permit{};
}

Decision judge_duplicates(const Facts& facts) {
    const auto type_of = [](const AttributeTypeAndValue& one) { return one.type; };
    const auto id_of = [](const ra::cmp::Extension& one) { return one.id; };
    for (const Asked& asked : facts.asked) {
        auto twice = repeated(asked.extensions(), id_of);
        if (!twice && asked.crmf != nullptr) twice = repeated(asked.crmf->controls, type_of);
        if (!twice && asked.crmf != nullptr) twice = repeated(asked.crmf->reg_info, type_of);
        if (!twice && asked.p10 != nullptr)
            twice = repeated(asked.p10->other_attributes, [](ByteView one) { return one; });
        if (twice)
            return refuse_body(kDuplicate, PKIFailureInfo::badCertTemplate,
                               oid_name(*twice) + " is there twice (S-15)");
    }
    if (const auto* revocations = std::get_if<std::vector<RevDetails>>(&facts.body)) {
        for (const RevDetails& one : *revocations) {
            if (repeated(one.crl_entry_details, id_of))
                return refuse_body(kDuplicate, PKIFailureInfo::badDataFormat,
                                   "reasonCode is there twice");
        }
    }
    return Permit{};
}

/// RFC 4211 5: fields a requester must leave to the CA; and of rr all but issuer and serialNumber.
Decision judge_template_fields(const Facts& facts) {
    static constexpr std::string_view kRule = "template-field";
    const auto present = [](std::string_view field) {
        return Decision{refuse_body(kRule, PKIFailureInfo::badCertTemplate,
                                    std::string(field) + " must be absent")};
    };
    for (const Asked& asked : facts.asked) {
        if (asked.crmf == nullptr) continue;
        const ra::cmp::CertTemplate& wanted = asked.crmf->cert_template;
        if (wanted.version && *wanted.version != 2)
            return refuse_body(kRule, PKIFailureInfo::badCertTemplate, "version is not v3");
        if (wanted.serial_number) return present("serialNumber");
        if (wanted.signing_alg) return present("signingAlg");
        if (wanted.has_issuer_uid) return present("issuerUID");
        if (wanted.has_subject_uid) return present("subjectUID");
    }
    if (const auto* revocations = std::get_if<std::vector<RevDetails>>(&facts.body)) {
        for (const RevDetails& one : *revocations) {
            const ra::cmp::CertTemplate& named = one.cert_details;
            if (named.version || named.signing_alg || named.validity || named.subject ||
                named.public_key || named.has_issuer_uid || named.has_subject_uid ||
                !named.extensions.empty()) {
                return refuse_body(kRule, PKIFailureInfo::badCertTemplate,
                                   "rr names a certificate by issuer and serialNumber only");
            }
        }
    }
    return Permit{};
}

}  // namespace policy
