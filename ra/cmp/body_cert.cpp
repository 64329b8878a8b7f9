#include <algorithm>

#include "ra/asn1/der_writer.h"
#include "ra/asn1/time.h"
#include "ra/cmp/body.h"
#include "ra/cmp/oids.h"
#include "ra/cmp/parse_body.h"

/// Requests for certificates: CRMF (RFC 4211) and PKCS #10 (RFC 2986).
namespace ra::cmp {

using asn1::context;
using asn1::context_primitive;
using asn1::DerReader;
using asn1::Tag;
using asn1::Tlv;

namespace {

/// SubjectPublicKeyInfo ::= SEQUENCE { algorithm AlgorithmIdentifier, subjectPublicKey BIT STRING }
Result<SubjectPublicKeyInfo> parse_spki(DerReader reader, ByteView whole) {
    SubjectPublicKeyInfo info;
    info.whole = whole;
    RA_TRY(info.algorithm, read_algorithm(reader, "publicKey"));
    RA_TRY(info.key, reader.read_bit_string("publicKey"));
    RA_TRY_VOID(reader.expect_end("publicKey"));
    return info;
}

/// OptionalValidity ::= SEQUENCE { notBefore [0] Time OPTIONAL, notAfter [1] Time OPTIONAL } -- at
/// least one
Result<OptionalValidity> parse_validity(DerReader reader) {
    OptionalValidity validity;
    const std::size_t at = reader.offset();
    for (const unsigned number : {0U, 1U}) {
        RA_TRY(const auto outer, reader.read_optional(context(number), "validity"));
        if (!outer) continue;
        DerReader inner = reader.inside(*outer);
        RA_TRY(const Tlv tlv, inner.read_any("validity"));
        RA_TRY_VOID(inner.expect_end("validity"));
        const auto time = asn1::parse_time(tlv, "validity");
        if (!time) return fail(time.error().code, "validity", at);
        (number == 0 ? validity.not_before : validity.not_after) = *time;
    }
    if (!validity.not_before && !validity.not_after) return fail(Errc::missing, "validity", at);
    RA_TRY_VOID(reader.expect_end("validity"));
    return validity;
}

/// A Name behind an explicit tag (CHOICE types are always tagged explicitly).
Result<std::optional<ByteView>> read_tagged_name(DerReader& reader, unsigned number,
                                                 std::string_view field) {
    RA_TRY(const auto outer, reader.read_optional(context(number), field));
    if (!outer) return std::optional<ByteView>{};
    DerReader inner = reader.inside(*outer);
    RA_TRY(const ByteView name, read_name(inner, field));
    RA_TRY_VOID(inner.expect_end(field));
    return std::optional<ByteView>{name};
}

/// Content of an INTEGER behind an implicit tag.
Result<std::optional<ByteView>> read_integer(DerReader& reader, unsigned number,
                                             std::string_view field) {
    const std::size_t at = reader.offset();
    RA_TRY(const auto content, reader.read_optional(context_primitive(number), field));
    if (content && !asn1::is_minimal_integer(*content)) return fail(Errc::bad_value, field, at);
    return content;
}

/// SEQUENCE OF AttributeTypeAndValue, each type once.
Result<std::vector<AttributeTypeAndValue>> parse_attributes(DerReader reader, const Limits& limits,
                                                            std::string_view field) {
    std::vector<AttributeTypeAndValue> all;
    if (reader.at_end()) return fail(Errc::missing, field, reader.offset());
    while (!reader.at_end()) {
        const std::size_t at = reader.offset();
        if (all.size() >= limits.template_extensions) return fail(Errc::too_many, field, at);
        RA_TRY(const ByteView content, reader.read(Tag::sequence, field));
        DerReader item = reader.inside(content);
        AttributeTypeAndValue one;
        RA_TRY(one.type, item.read_oid(field));
        RA_TRY(const Tlv value, item.read_any(field));
        one.value = value.whole;
        RA_TRY_VOID(item.expect_end(field));
        const auto same = [&one](const AttributeTypeAndValue& other) {
            return equal(other.type, one.type);
        };
        if (std::any_of(all.begin(), all.end(), same)) return fail(Errc::duplicate, field, at);
        all.push_back(one);
    }
    return all;
}

/// POPOSigningKeyInput ::= SEQUENCE { authInfo CHOICE { sender [0] GeneralName, publicKeyMAC
/// PKMACValue },
///                                    publicKey SubjectPublicKeyInfo }
Result<void> parse_poposk_input(DerReader reader, POPOSigningKey& popo) {
    RA_TRY(const auto sender, reader.read_optional(context(0), "poposkInput"));
    if (sender) {
        DerReader inner = reader.inside(*sender);
        RA_TRY(popo.input_sender, read_general_name(inner, "poposkInput"));
        RA_TRY_VOID(inner.expect_end("poposkInput"));
    } else {  // PKMACValue ::= SEQUENCE { algId AlgorithmIdentifier, value BIT STRING }
        RA_TRY(const ByteView mac, reader.read(Tag::sequence, "publicKeyMAC"));
        DerReader inner = reader.inside(mac);
        RA_TRY_VOID(read_algorithm(inner, "publicKeyMAC"));
        RA_TRY_VOID(inner.read_bit_string("publicKeyMAC"));
        RA_TRY_VOID(inner.expect_end("publicKeyMAC"));
    }
    RA_TRY(const Tlv key, reader.read_tlv(Tag::sequence, "poposkInput"));
    RA_TRY(const SubjectPublicKeyInfo spki, parse_spki(reader.inside(key.content), key.whole));
    popo.input_key = spki;
    return reader.expect_end("poposkInput");
}

/// POPOSigningKey ::= SEQUENCE { poposkInput [0] POPOSigningKeyInput OPTIONAL,
///                               algorithmIdentifier AlgorithmIdentifier, signature BIT STRING }
Result<POPOSigningKey> parse_popo_signature(DerReader reader) {
    POPOSigningKey popo;
    RA_TRY(const auto input, reader.read_optional(context(0), "poposkInput"));
    if (input) {
        popo.poposk_input = *input;
        RA_TRY_VOID(parse_poposk_input(reader.inside(*input), popo));
    }
    RA_TRY(popo.algorithm, read_algorithm(reader, "popo"));
    RA_TRY(popo.signature, reader.read_bit_string("popo"));
    RA_TRY_VOID(reader.expect_end("popo"));
    return popo;
}

/// POPOPrivKey ::= CHOICE { thisMessage [0] BIT STRING, subsequentMessage [1] SubsequentMessage,
///                          dhMAC [2] BIT STRING, agreeMAC [3] PKMACValue, encryptedKey [4]
///                          EnvelopedData }
Result<ByteView> parse_private_key_proof(DerReader reader) {
    const auto tag = reader.peek();
    const bool known = tag == context_primitive(0) || tag == context_primitive(1) ||
                       tag == context_primitive(2) || tag == context(3) || tag == context(4);
    if (tag && !known) return fail(Errc::bad_tag, "popo", reader.offset());
    RA_TRY(const Tlv choice, reader.read_any("popo"));
    RA_TRY_VOID(reader.expect_end("popo"));
    return choice.whole;
}

/// ProofOfPossession ::= CHOICE { raVerified [0] NULL, signature [1] POPOSigningKey,
///                                keyEncipherment [2] POPOPrivKey, keyAgreement [3] POPOPrivKey }
Result<void> read_popo(DerReader& reader, CertReqMsg& request) {
    const auto tag = reader.peek();
    if (tag == context_primitive(0)) {
        const std::size_t at = reader.offset();
        RA_TRY(const Tlv null, reader.read_any("popo"));
        if (!null.content.empty()) return fail(Errc::bad_value, "popo", at);
        request.popo = PopoType::raVerified;
    } else if (tag == context(1)) {
        RA_TRY(const Tlv tlv, reader.read_any("popo"));
        RA_TRY(request.popo_signature, parse_popo_signature(reader.inside(tlv.content)));
        request.popo = PopoType::signature;
    } else if (tag == context(2) || tag == context(3)) {
        RA_TRY(const Tlv tlv, reader.read_any("popo"));
        RA_TRY(request.popo_other, parse_private_key_proof(reader.inside(tlv.content)));
        request.popo = tag == context(2) ? PopoType::keyEncipherment : PopoType::keyAgreement;
    } else if (tag && tag != Tag::sequence) {
        return fail(Errc::bad_tag, "popo", reader.offset());
    }
    return boost::system::in_place_value;
}

/// CertReqMsg ::= SEQUENCE { certReq CertRequest, popo ProofOfPossession OPTIONAL,
///                           regInfo SEQUENCE SIZE (1..MAX) OF AttributeTypeAndValue OPTIONAL }
/// CertRequest ::= SEQUENCE { certReqId INTEGER, certTemplate CertTemplate, controls Controls
/// OPTIONAL }
Result<CertReqMsg> read_cert_req_msg(DerReader& list, const Limits& limits) {
    RA_TRY(const Tlv whole, list.read_tlv(Tag::sequence, "certReqMsg"));
    CertReqMsg request;
    request.whole = whole.whole;
    DerReader reader = list.inside(whole.content);
    RA_TRY(const Tlv cert_req, reader.read_tlv(Tag::sequence, "certReq"));
    request.cert_req = cert_req.whole;

    DerReader inner = reader.inside(cert_req.content);
    RA_TRY(request.cert_req_id, inner.read_integer("certReqId"));
    RA_TRY(const Tlv cert_template, inner.read_tlv(Tag::sequence, "certTemplate"));
    RA_TRY(request.cert_template,
           parse_cert_template(inner.inside(cert_template.content), cert_template.whole, limits));
    RA_TRY(const auto controls, inner.read_optional(Tag::sequence, "controls"));
    if (controls) {
        RA_TRY(request.controls, parse_attributes(inner.inside(*controls), limits, "controls"));
    }
    RA_TRY_VOID(inner.expect_end("certReq"));

    RA_TRY_VOID(read_popo(reader, request));
    RA_TRY(const auto reg_info, reader.read_optional(Tag::sequence, "regInfo"));
    if (reg_info) {
        RA_TRY(request.reg_info, parse_attributes(reader.inside(*reg_info), limits, "regInfo"));
    }
    RA_TRY_VOID(reader.expect_end("certReqMsg"));
    return request;
}

/// Attributes of a PKCS #10 request: [0] IMPLICIT SET OF Attribute { type OBJECT IDENTIFIER, values
/// SET OF ANY }
Result<void> parse_p10_attributes(DerReader reader, const Limits& limits,
                                  CertificationRequest& request) {
    while (!reader.at_end()) {
        const std::size_t at = reader.offset();
        RA_TRY(const ByteView content, reader.read(Tag::sequence, "attribute"));
        DerReader item = reader.inside(content);
        RA_TRY(const ByteView type, item.read_oid("attribute"));
        RA_TRY(const ByteView values, item.read(Tag::set, "attribute"));
        RA_TRY_VOID(item.expect_end("attribute"));
        if (!(oid::kExtensionRequest == type)) {
            const auto same = [type](ByteView other) { return equal(other, type); };
            if (std::any_of(request.other_attributes.begin(), request.other_attributes.end(),
                            same)) {
                return fail(Errc::duplicate, "attribute", at);
            }
            request.other_attributes.push_back(type);
            continue;
        }
        if (!request.extensions.empty()) return fail(Errc::duplicate, "extensionRequest", at);
        DerReader value = item.inside(values);
        RA_TRY(const ByteView list, value.read(Tag::sequence, "extensionRequest"));
        RA_TRY_VOID(value.expect_end("extensionRequest"));
        RA_TRY(request.extensions,
               parse_extensions(value.inside(list), limits, asn1::Defaults::may_be_encoded));
    }
    return boost::system::in_place_value;
}

}  // namespace

/// Extensions ::= SEQUENCE SIZE (1..MAX) OF Extension
Result<std::vector<Extension>> parse_extensions(DerReader reader, const Limits& limits,
                                                asn1::Defaults defaults) {
    std::vector<Extension> all;
    if (reader.at_end()) return fail(Errc::missing, "extensions", reader.offset());
    while (!reader.at_end()) {
        const std::size_t at = reader.offset();
        if (all.size() >= limits.template_extensions) return fail(Errc::too_many, "extensions", at);
        RA_TRY(const asn1::Extension read, asn1::read_extension(reader, defaults));
        const auto same = [&read](const Extension& other) { return equal(other.id, read.id); };
        if (std::any_of(all.begin(), all.end(), same))
            return fail(Errc::duplicate, "extensions", at);
        all.push_back({read.id, read.critical, read.value});
    }
    return all;
}

/// CertTemplate ::= SEQUENCE { version [0], serialNumber [1], signingAlg [2], issuer [3], validity
/// [4], subject [5],
///   publicKey [6], issuerUID [7], subjectUID [8], extensions [9] }, all IMPLICIT and OPTIONAL
Result<CertTemplate> parse_cert_template(DerReader reader, ByteView whole, const Limits& limits) {
    CertTemplate made;
    made.whole = whole;
    const std::size_t at = reader.offset();
    RA_TRY(const auto version, read_integer(reader, 0, "version"));
    if (version) {
        if (version->size() != 1) return fail(Errc::bad_value, "version", at);
        made.version = static_cast<std::int8_t>((*version)[0]);
    }
    RA_TRY(made.serial_number, read_integer(reader, 1, "serialNumber"));
    RA_TRY(const auto signing_alg, reader.read_optional_tlv(context(2), "signingAlg"));
    if (signing_alg) {
        RA_TRY_VOID(algorithm_of(reader, *signing_alg, "signingAlg"));
        made.signing_alg = signing_alg->content;
    }
    RA_TRY(made.issuer, read_tagged_name(reader, 3, "issuer"));
    RA_TRY(const auto validity, reader.read_optional(context(4), "validity"));
    if (validity) {
        RA_TRY(made.validity, parse_validity(reader.inside(*validity)));
    }
    RA_TRY(made.subject, read_tagged_name(reader, 5, "subject"));
    RA_TRY(const auto key, reader.read_optional_tlv(context(6), "publicKey"));
    if (key) {
        RA_TRY(made.public_key, parse_spki(reader.inside(key->content), key->whole));
    }
    RA_TRY(const auto issuer_uid, reader.read_optional(context_primitive(7), "issuerUID"));
    made.has_issuer_uid = issuer_uid.has_value();
    RA_TRY(const auto subject_uid, reader.read_optional(context_primitive(8), "subjectUID"));
    made.has_subject_uid = subject_uid.has_value();
    RA_TRY(const auto extensions, reader.read_optional(context(9), "extensions"));
    if (extensions) {
        RA_TRY(made.extensions,
               parse_extensions(reader.inside(*extensions), limits, asn1::Defaults::omitted));
    }
    RA_TRY_VOID(reader.expect_end("certTemplate"));
    return made;
}

Bytes CertTemplate::public_key_der() const {
    if (!public_key) return {};
    Bytes der = to_bytes(public_key->whole);
    der[0] = static_cast<std::uint8_t>(Tag::sequence);  // [6] IMPLICIT changes nothing but the tag
    return der;
}

bool CertTemplate::wants_central_key_generation() const noexcept {
    return !public_key || public_key->key.empty();
}

/// CertReqMessages ::= SEQUENCE SIZE (1..MAX) OF CertReqMsg
Result<std::vector<CertReqMsg>> parse_cert_req_messages(ByteView content, std::size_t offset,
                                                        const Limits& limits) {
    RA_TRY(DerReader list, open_sequence(content, offset, "certReqMessages"));
    std::vector<CertReqMsg> all;
    if (list.at_end()) return fail(Errc::missing, "certReqMessages", list.offset());
    while (!list.at_end()) {
        if (all.size() >= limits.cert_req_msgs)
            return fail(Errc::too_many, "certReqMessages", list.offset());
        RA_TRY(CertReqMsg request, read_cert_req_msg(list, limits));
        all.push_back(std::move(request));
    }
    return all;
}

/// CertificationRequest ::= SEQUENCE { certificationRequestInfo, signatureAlgorithm, signature BIT
/// STRING } CertificationRequestInfo ::= SEQUENCE { version INTEGER {0}, subject Name,
/// subjectPKInfo, attributes [0] IMPLICIT SET OF }
Result<CertificationRequest> parse_certification_request(ByteView content, std::size_t offset,
                                                         const Limits& limits) {
    RA_TRY(DerReader reader, open_sequence(content, offset, "certificationRequest"));
    CertificationRequest request;
    request.whole = content;
    RA_TRY(const Tlv info, reader.read_tlv(Tag::sequence, "certificationRequestInfo"));
    request.info = info.whole;
    RA_TRY(request.algorithm, read_algorithm(reader, "signatureAlgorithm"));
    RA_TRY(request.signature, reader.read_bit_string("signature"));
    RA_TRY_VOID(reader.expect_end("certificationRequest"));

    DerReader inner = reader.inside(info.content);
    RA_TRY_VOID(inner.read_unsigned("version", 0));
    RA_TRY(request.subject, read_name(inner, "subject"));
    RA_TRY(const Tlv key, inner.read_tlv(Tag::sequence, "subjectPKInfo"));
    RA_TRY(request.public_key, parse_spki(inner.inside(key.content), key.whole));
    RA_TRY(const auto attributes, inner.read_optional(context(0), "attributes"));
    if (attributes) RA_TRY_VOID(parse_p10_attributes(inner.inside(*attributes), limits, request));
    RA_TRY_VOID(inner.expect_end("certificationRequestInfo"));
    return request;
}

}  // namespace ra::cmp
