#include "ra/labca/request.h"

#include <stdexcept>

#include "ra/asn1/der_writer.h"
#include "ra/cmp/oids.h"
#include "ra/crypto/protection.h"

namespace ra::labca {

using asn1::DerReader;
using asn1::DerWriter;
using asn1::oid;
using asn1::Oid;
using asn1::Tag;
using cmp::BodyType;
using cmp::PKIFailureInfo;

void throw_exception_from_error(const Refused& refused, const boost::source_location&) {
    throw std::logic_error("unchecked refusal: " + std::string(refused.text));
}

namespace {

constexpr Oid kSubjectAltName = oid("2.5.29.17");
constexpr Oid kExtKeyUsage = oid("2.5.29.37");
constexpr Oid kKeyUsage = oid("2.5.29.15");
constexpr Oid kBasicConstraints = oid("2.5.29.19");
constexpr std::uint32_t kCaUsages = 1U << 5U | 1U << 6U;  // keyCertSign, cRLSign
constexpr unsigned kLeastRsaBits = 2048;
constexpr ByteView::size_type kEmptyName = 2;  // 30 00

Refused refuse(PKIFailureInfo info, std::string_view text) { return {info, text}; }

void copy(Bytes& to, const asn1::Extension& extension) {
    DerWriter writer;
    {
        const auto copied = writer.open(Tag::sequence);
        writer.oid(extension.id);
        if (extension.critical) writer.boolean(true);
        writer.octet_string(extension.value);
    }
    append(to, writer.view());
}

/// Each purpose may be asked for but those that make a CMP authority.
Checked<void> judge_purposes(ByteView value) {
    DerReader outer{value};
    const auto list = outer.read(Tag::sequence, "extKeyUsage");
    if (!list || list->empty())
        return refuse(PKIFailureInfo::badCertTemplate, "extKeyUsage malformed");
    DerReader purposes{*list};
    while (!purposes.at_end()) {
        const auto purpose = purposes.read_oid("extKeyUsage");
        if (!purpose) return refuse(PKIFailureInfo::badCertTemplate, "extKeyUsage malformed");
        for (const Oid& authority : {cmp::oid::kCmcCa, cmp::oid::kCmcRa, cmp::oid::kCmKga}) {
            if (authority == *purpose)
                return refuse(PKIFailureInfo::notAuthorized,
                              "purpose is not given to end entities");
        }
    }
    return {};
}

Checked<void> judge_key_usage(ByteView value) {
    const auto bits = DerReader{value}.read_named_bits("keyUsage");
    if (!bits) return refuse(PKIFailureInfo::badCertTemplate, "keyUsage malformed");
    if ((*bits & kCaUsages) != 0)
        return refuse(PKIFailureInfo::badCertTemplate, "keyUsage of a CA");
    return {};
}

Checked<void> judge_extensions(Wanted& wanted, const std::vector<asn1::Extension>& asked) {
    bool has_name = false;
    for (const asn1::Extension& extension : asked) {
        if (kSubjectAltName == extension.id) {
            has_name = true;
        } else if (kExtKeyUsage == extension.id) {
            RA_TRY_VOID(judge_purposes(extension.value));
        } else if (kKeyUsage == extension.id) {
            RA_TRY_VOID(judge_key_usage(extension.value));
            wanted.has_key_usage = true;
        } else if (kBasicConstraints == extension.id) {
            DerReader outer{extension.value};
            const auto content = outer.read(Tag::sequence, "basicConstraints");
            if (!content || !content->empty())  // cA DEFAULT FALSE
                return refuse(PKIFailureInfo::badCertTemplate, "no CA certificates here");
            continue;  // every certificate says CA:FALSE
        } else if (extension.critical) {
            return refuse(PKIFailureInfo::unacceptedExtension, "critical extension not known");
        } else {
            wanted.left_out = true;
            continue;
        }
        copy(wanted.extensions, extension);
    }
    if (wanted.subject.size() <= kEmptyName && !has_name)
        return refuse(PKIFailureInfo::badCertTemplate, "no subject and no subjectAltName");
    return {};
}

Checked<void> judge_key(ByteView spki) {
    const auto key = crypto::PublicKey::from_spki(spki);
    if (!key) {
        return refuse(key.error().code == Errc::unsupported ? PKIFailureInfo::badAlg
                                                            : PKIFailureInfo::badCertTemplate,
                      "public key");
    }
    if (key->facts().family == "rsa" && key->facts().bits < kLeastRsaBits)
        return refuse(PKIFailureInfo::badCertTemplate, "RSA key under 2048 bit");
    return {};
}

Checked<void> judge_popo(const cmp::CertReqMsg& request, const Requester& requester) {
    switch (request.popo) {
        case cmp::PopoType::signature:
            if (!crypto::verify_popo(request)) return refuse(PKIFailureInfo::badPOP, "popo");
            return {};
        case cmp::PopoType::raVerified:
            if (!requester.is_ra)
                return refuse(PKIFailureInfo::notAuthorized, "raVerified by no RA");
            return {};
        case cmp::PopoType::absent:
        case cmp::PopoType::keyEncipherment:
        case cmp::PopoType::keyAgreement:
            break;
    }
    return refuse(PKIFailureInfo::badPOP, "popo signature wanted");
}

Checked<Wanted> judge_crmf(const cmp::PKIMessage& message, const Requester& requester,
                           const cmp::Limits& limits) {
    const auto requests = cmp::parse_cert_req_messages(message.content, 0, limits);
    if (!requests) return refuse(PKIFailureInfo::badDataFormat, "CertReqMessages");
    if (requests->size() != 1 || requests->front().cert_req_id != 0)
        return refuse(PKIFailureInfo::badDataFormat, "one CertReqMsg with certReqId 0 wanted");
    const cmp::CertReqMsg& request = requests->front();
    const cmp::CertTemplate& asked = request.cert_template;
    if (asked.serial_number || asked.signing_alg || asked.has_issuer_uid || asked.has_subject_uid)
        return refuse(PKIFailureInfo::badCertTemplate, "a field that is the CA's to fill");
    if (asked.wants_central_key_generation())
        return refuse(PKIFailureInfo::badCertTemplate, "no central key generation");

    Wanted wanted;
    wanted.spki = asked.public_key_der();
    RA_TRY_VOID(judge_key(wanted.spki));
    RA_TRY_VOID(judge_popo(request, requester));
    if (asked.subject) wanted.subject = to_bytes(*asked.subject);
    if (asked.validity) wanted.validity = *asked.validity;
    if (message.type == BodyType::kur && requester.certificate != nullptr) {
        const ByteView old = requester.certificate->subject();
        if (asked.subject && !equal(*asked.subject, old))
            return refuse(PKIFailureInfo::badCertTemplate, "kur changes the subject");
        wanted.subject = to_bytes(old);
    } else if (!asked.subject) {
        return refuse(PKIFailureInfo::badCertTemplate, "subject missing");
    }
    RA_TRY_VOID(judge_extensions(wanted, asked.extensions));
    return wanted;
}

Checked<Wanted> judge_pkcs10(const cmp::PKIMessage& message, const cmp::Limits& limits) {
    const auto request = cmp::parse_certification_request(message.content, 0, limits);
    if (!request) return refuse(PKIFailureInfo::badDataFormat, "CertificationRequest");
    Wanted wanted;
    wanted.cert_req_id = -1;  // RFC 9810 5.3.4
    wanted.spki = to_bytes(request->public_key.whole);
    wanted.subject = to_bytes(request->subject);
    RA_TRY_VOID(judge_key(wanted.spki));
    if (!crypto::verify_self_signature(*request))
        return refuse(PKIFailureInfo::badPOP, "signature of the PKCS #10 request");
    wanted.left_out = !request->other_attributes.empty();
    RA_TRY_VOID(judge_extensions(wanted, request->extensions));
    return wanted;
}

}  // namespace

Checked<Wanted> judge(const cmp::PKIMessage& request, const Requester& requester,
                      const cmp::Limits& limits) {
    RA_TRY(Wanted wanted, request.type == BodyType::p10cr ? judge_pkcs10(request, limits)
                                                          : judge_crmf(request, requester, limits));
    wanted.answer = request.type == BodyType::ir    ? BodyType::ip
                    : request.type == BodyType::kur ? BodyType::kup
                                                    : BodyType::cp;
    return wanted;
}

}  // namespace ra::labca
