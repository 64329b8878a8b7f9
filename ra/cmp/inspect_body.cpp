#include "ra/asn1/oids.h"
#include "ra/cmp/inspect_tree.h"
#include "ra/cmp/oids.h"

/// The bodies as inspect shows them.
namespace ra::cmp::tree {
namespace {

std::string_view popo_name(PopoType type) noexcept {
    switch (type) {
        case PopoType::absent:
            return "absent";
        case PopoType::raVerified:
            return "raVerified";
        case PopoType::signature:
            return "signature";
        case PopoType::keyEncipherment:
            return "keyEncipherment";
        case PopoType::keyAgreement:
            return "keyAgreement";
    }
    return "?";
}

object shown(const CertTemplate& from) {
    object made;
    if (from.version) made["version"] = *from.version;
    if (from.serial_number) made["serialNumber"] = serial(*from.serial_number);
    if (from.signing_alg) made["signingAlg"] = hex(*from.signing_alg);
    if (from.issuer) made["issuer"] = name(*from.issuer);
    if (from.validity && from.validity->not_before) {
        made["notBefore"] = time(*from.validity->not_before);
    }
    if (from.validity && from.validity->not_after) {
        made["notAfter"] = time(*from.validity->not_after);
    }
    if (from.subject) made["subject"] = name(*from.subject);
    if (from.public_key) made["publicKey"] = key_algorithm(from.public_key->whole);
    if (from.has_issuer_uid) made["issuerUID"] = true;
    if (from.has_subject_uid) made["subjectUID"] = true;
    if (!from.extensions.empty()) made["extensions"] = extensions(from.extensions);
    return made;
}

object shown(const std::vector<AttributeTypeAndValue>& list) {
    object made;
    for (const AttributeTypeAndValue& one : list) made[asn1::oid_name(one.type)] = hex(one.value);
    return made;
}

object shown(const POPOSigningKey& from) {
    object made;
    if (from.poposk_input) {
        object input;
        if (from.input_sender) input["sender"] = general_name(*from.input_sender);
        if (from.input_key) input["publicKey"] = key_algorithm(from.input_key->whole);
        made["poposkInput"] = std::move(input);
    }
    made["algorithmIdentifier"] = algorithm(from.algorithm);
    made["signature"] = blob(from.signature);
    return made;
}

value shown(const CertReqMsg& from) {
    object made{{"certReqId", from.cert_req_id}, {"certTemplate", shown(from.cert_template)}};
    if (!from.controls.empty()) made["controls"] = shown(from.controls);
    made["popo"] = popo_name(from.popo);
    if (from.popo_signature) made["POPOSigningKey"] = shown(*from.popo_signature);
    if (!from.popo_other.empty()) made["POPOPrivKey"] = blob(from.popo_other);
    if (!from.reg_info.empty()) made["regInfo"] = shown(from.reg_info);
    return made;
}

value shown(const CertificationRequest& from) {
    object made{{"subject", name(from.subject)},
                {"publicKey", key_algorithm(from.public_key.whole)}};
    if (!from.extensions.empty()) made["extensions"] = extensions(from.extensions);
    array others;
    for (const ByteView one : from.other_attributes) others.push_back(value(asn1::oid_name(one)));
    if (!others.empty()) made["attributes"] = std::move(others);
    made["signatureAlgorithm"] = algorithm(from.algorithm);
    made["signature"] = blob(from.signature);
    return made;
}

value shown(const CertResponse& from) {
    object made{{"certReqId", from.cert_req_id}, {"status", status_info(from.status)}};
    if (!from.certificate.empty()) made["certificate"] = certificate(from.certificate);
    if (from.encrypted_cert) made["encryptedCert"] = true;
    if (from.has_private_key) made["privateKey"] = "encrypted";
    return made;
}

value shown(const RevDetails& from) {
    object made{{"certDetails", shown(from.cert_details)}};
    if (!from.crl_entry_details.empty()) {
        made["crlEntryDetails"] = extensions(from.crl_entry_details);
    }
    return made;
}

value shown(const CertStatus& from) {
    object made{{"certHash", hex(from.cert_hash)}, {"certReqId", from.cert_req_id}};
    if (from.status_info) made["statusInfo"] = status_info(*from.status_info);
    if (from.hash_alg) made["hashAlg"] = algorithm(*from.hash_alg);
    return made;
}

value shown(std::int64_t cert_req_id) { return object{{"certReqId", cert_req_id}}; }

value shown(const PollRep& from) {
    object made{{"certReqId", from.cert_req_id}, {"checkAfter", from.check_after}};
    if (!from.reason.empty()) made["reason"] = texts(from.reason);
    return made;
}

value shown(const InfoTypeAndValue& from) { return info(from); }

value shown(const CertRepMessage& from) {
    object made;
    if (!from.ca_pubs.empty()) {
        array list;
        for (const ByteView one : from.ca_pubs) list.push_back(certificate(one));
        made["caPubs"] = std::move(list);
    }
    array responses;
    for (const CertResponse& one : from.responses) responses.push_back(shown(one));
    made["response"] = std::move(responses);
    return made;
}

value shown(const RevRepContent& from) {
    array status;
    for (const PKIStatusInfo& one : from.status) status.push_back(status_info(one));
    object made{{"status", std::move(status)}};
    if (from.rev_certs != 0) made["revCerts"] = from.rev_certs;
    if (from.crls != 0) made["crls"] = from.crls;
    return made;
}

value shown(const ErrorMsgContent& from) {
    object made{{"pKIStatusInfo", status_info(from.status)}};
    if (from.error_code) made["errorCode"] = *from.error_code;
    if (!from.details.empty()) made["errorDetails"] = texts(from.details);
    return made;
}

/// What `parsed` holds, or its fault.
template <class T>
value shown(const Result<T>& parsed) {
    if (!parsed.has_value()) return object{{"fault", fault(parsed.error())}};
    return shown(*parsed);
}

template <class T>
value shown(const Result<std::vector<T>>& parsed) {
    if (!parsed.has_value()) return object{{"fault", fault(parsed.error())}};
    array made;
    for (const T& one : *parsed) made.push_back(shown(one));
    return made;
}

value nested(ByteView content, std::size_t offset, const Limits& limits) {
    const auto inner = parse_nested(content, offset, limits);
    if (!inner.has_value()) return object{{"fault", fault(inner.error())}};
    array made;
    for (const PKIMessage& one : *inner) made.push_back(message(one, limits));
    return made;
}

}  // namespace

value body(const PKIMessage& from, const Limits& limits) {
    const ByteView content = from.content;
    const auto offset = static_cast<std::size_t>(content.data() - from.whole.data());
    if (is_cert_request(from.type) || from.type == BodyType::krr) {
        return shown(parse_cert_req_messages(content, offset, limits));
    }
    if (is_cert_response(from.type)) return shown(parse_cert_rep(content, offset, limits));
    switch (from.type) {
        case BodyType::p10cr:
            return shown(parse_certification_request(content, offset, limits));
        case BodyType::rr:
            return shown(parse_rev_req(content, offset, limits));
        case BodyType::rp:
            return shown(parse_rev_rep(content, offset, limits));
        case BodyType::genm:
        case BodyType::genp:
            return shown(parse_gen_msg(content, offset, limits));
        case BodyType::error:
            return shown(parse_error(content, offset, limits));
        case BodyType::certConf:
            return shown(parse_cert_conf(content, offset, limits));
        case BodyType::pollReq:
            return shown(parse_poll_req(content, offset, limits));
        case BodyType::pollRep:
            return shown(parse_poll_rep(content, offset, limits));
        case BodyType::nested:
            return nested(content, offset, limits);
        case BodyType::cann:
            return certificate(content);
        case BodyType::pkiconf:
            return nullptr;
        default:
            return blob(content);
    }
}

}  // namespace ra::cmp::tree
