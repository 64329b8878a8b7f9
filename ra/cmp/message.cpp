#include "ra/cmp/message.h"

#include "ra/asn1/time.h"
#include "ra/cmp/fields.h"
#include "ra/cmp/oids.h"

namespace ra::cmp {

using asn1::context;
using asn1::DerReader;
using asn1::Tag;
using asn1::Tlv;

namespace {

/// OCTET STRING in EXPLICIT [number], `least`..`most` octets; nullopt if the tag is not there.
Result<std::optional<ByteView>> read_octets(DerReader& reader, unsigned number, std::size_t least,
                                            std::size_t most, std::string_view field) {
    const std::size_t offset = reader.offset();
    RA_TRY(const auto tagged, reader.read_optional(context(number), field));
    if (!tagged) return std::optional<ByteView>{};
    RA_TRY(const Tlv octets, read_inside(reader, *tagged, Tag::octet_string, field));
    if (octets.content.size() > most) return fail(Errc::too_large, field, offset);
    if (octets.content.size() < least) return fail(Errc::bad_value, field, offset);
    return std::optional{octets.content};
}

Result<void> read_message_time(DerReader& reader, PKIHeader& header) {
    const std::size_t offset = reader.offset();
    RA_TRY(const auto tagged, reader.read_optional(context(0), "messageTime"));
    if (!tagged) return boost::system::in_place_value;
    RA_TRY(const Tlv tlv, read_inside(reader, *tagged, Tag::generalized_time, "messageTime"));
    const auto time = asn1::parse_generalized_time(tlv.content, "messageTime");
    if (!time.has_value()) return fail(Errc::bad_value, "messageTime", offset);
    header.message_time = *time;
    return boost::system::in_place_value;
}

Result<void> read_protection_alg(DerReader& reader, PKIHeader& header) {
    RA_TRY(const auto tagged, reader.read_optional(context(1), "protectionAlg"));
    if (!tagged) return boost::system::in_place_value;
    DerReader inner = reader.inside(*tagged);
    RA_TRY(const AlgorithmIdentifier algorithm, read_algorithm(inner, "protectionAlg"));
    RA_TRY_VOID(inner.expect_end("protectionAlg"));
    header.protection_alg = algorithm;
    return boost::system::in_place_value;
}

// PKIHeader ::= SEQUENCE {
//     pvno              INTEGER { cmp1999(1), cmp2000(2), cmp2021(3) },
//     sender            GeneralName,
//     recipient         GeneralName,
//     messageTime   [0] GeneralizedTime OPTIONAL,
//     protectionAlg [1] AlgorithmIdentifier{ALGORITHM, {...}} OPTIONAL,
//     senderKID     [2] KeyIdentifier OPTIONAL,
//     recipKID      [3] KeyIdentifier OPTIONAL,
//     transactionID [4] OCTET STRING OPTIONAL,
//     senderNonce   [5] OCTET STRING OPTIONAL,
//     recipNonce    [6] OCTET STRING OPTIONAL,
//     freeText      [7] PKIFreeText OPTIONAL,
//     generalInfo   [8] SEQUENCE SIZE (1..MAX) OF InfoTypeAndValue OPTIONAL }
Result<PKIHeader> read_header(DerReader& message, const Limits& limits) {
    RA_TRY(const Tlv tlv, message.read_tlv(Tag::sequence, "header"));
    DerReader reader = message.inside(tlv.content);
    PKIHeader header;
    header.whole = tlv.whole;
    RA_TRY(const std::uint64_t pvno, reader.read_unsigned("pvno", 255));
    header.pvno = static_cast<std::uint8_t>(pvno);
    RA_TRY(header.sender, read_general_name(reader, "sender"));
    RA_TRY(header.recipient, read_general_name(reader, "recipient"));
    RA_TRY_VOID(read_message_time(reader, header));
    RA_TRY_VOID(read_protection_alg(reader, header));
    const std::size_t least = limits.id_min;
    const std::size_t most = limits.id_max;
    RA_TRY(header.sender_kid, read_octets(reader, 2, 0, limits.kid_max, "senderKID"));
    RA_TRY(header.recip_kid, read_octets(reader, 3, 0, limits.kid_max, "recipKID"));
    RA_TRY(header.transaction_id, read_octets(reader, 4, least, most, "transactionID"));
    RA_TRY(header.sender_nonce, read_octets(reader, 5, least, most, "senderNonce"));
    RA_TRY(header.recip_nonce, read_octets(reader, 6, least, most, "recipNonce"));
    RA_TRY(const auto text, reader.read_optional(context(7), "freeText"));
    if (text) {
        DerReader inner = reader.inside(*text);
        RA_TRY(header.free_text, read_free_text(inner, "freeText"));
        RA_TRY_VOID(inner.expect_end("freeText"));
    }
    RA_TRY(const auto infos, reader.read_optional(context(8), "generalInfo"));
    if (infos) {
        RA_TRY(const Tlv list, read_inside(reader, *infos, Tag::sequence, "generalInfo"));
        RA_TRY_VOID(check_infos(reader, list.content, 1, limits.general_info, "generalInfo"));
        header.general_info = list.content;
    }
    RA_TRY_VOID(reader.expect_end("header"));
    return header;
}

// PKIBody ::= CHOICE { ir [0] CertReqMessages, ip [1] CertRepMessage, cr [2] CertReqMessages,
//     cp [3] CertRepMessage, p10cr [4] CertificationRequest, popdecc [5] POPODecKeyChallContent,
//     popdecr [6] POPODecKeyRespContent, kur [7] CertReqMessages, kup [8] CertRepMessage,
//     krr [9] CertReqMessages, krp [10] KeyRecRepContent, rr [11] RevReqContent,
//     rp [12] RevRepContent, ccr [13] CertReqMessages, ccp [14] CertRepMessage,
//     ckuann [15] CAKeyUpdContent, cann [16] CertAnnContent, rann [17] RevAnnContent,
//     crlann [18] CRLAnnContent, pkiconf [19] PKIConfirmContent, nested [20] NestedMessageContent,
//     genm [21] GenMsgContent, genp [22] GenRepContent, error [23] ErrorMsgContent,
//     certConf [24] CertConfirmContent, pollReq [25] PollReqContent, pollRep [26] PollRepContent }
Result<void> read_body(DerReader& reader, PKIMessage& message) {
    const std::size_t offset = reader.offset();
    RA_TRY(const Tlv body, reader.read_any("body"));
    const unsigned number = static_cast<unsigned>(body.tag) & 0x1fU;
    if (body.tag != context(number) || number >= kBodyTypes) {
        return fail(Errc::bad_tag, "body", offset);
    }
    message.type = static_cast<BodyType>(number);
    message.body = body.whole;
    DerReader inner = reader.inside(body.content);
    Tag want = Tag::sequence;
    if (message.type == BodyType::pkiconf) want = Tag::null;
    // CAKeyUpdContent ::= CHOICE { cAKeyUpdAnnV2 CAKeyUpdAnnContent,
    //                              cAKeyUpdAnnV3 [0] RootCaKeyUpdateContent }
    if (message.type == BodyType::ckuann && inner.peek() == context(0)) want = context(0);
    RA_TRY(const Tlv content, inner.read_tlv(want, "body"));
    RA_TRY_VOID(inner.expect_end("body"));
    if (want == Tag::null && !content.content.empty()) {
        return fail(Errc::bad_value, "pkiconf", offset);
    }
    message.content = content.whole;
    return boost::system::in_place_value;
}

// extraCerts [1] SEQUENCE SIZE (1..MAX) OF CMPCertificate OPTIONAL
Result<void> read_extra_certs(DerReader& reader, PKIMessage& message, const Limits& limits) {
    RA_TRY(const auto tagged, reader.read_optional(context(1), "extraCerts"));
    if (!tagged) return boost::system::in_place_value;
    RA_TRY(const Tlv list, read_inside(reader, *tagged, Tag::sequence, "extraCerts"));
    DerReader certificates = reader.inside(list.content);
    if (certificates.at_end()) return fail(Errc::bad_value, "extraCerts", certificates.offset());
    while (!certificates.at_end()) {
        if (message.extra_certs_count == limits.extra_certs) {
            return fail(Errc::too_many, "extraCerts", certificates.offset());
        }
        RA_TRY_VOID(certificates.read_tlv(Tag::sequence, "extraCerts"));
        ++message.extra_certs_count;
    }
    message.extra_certs = list.content;
    return boost::system::in_place_value;
}

}  // namespace

// PKIMessage ::= SEQUENCE {
//     header           PKIHeader,
//     body             PKIBody,
//     protection   [0] PKIProtection OPTIONAL,
//     extraCerts   [1] SEQUENCE SIZE (1..MAX) OF CMPCertificate OPTIONAL }
// PKIProtection ::= BIT STRING
Result<PKIMessage> read_pki_message(DerReader outer, const Limits& limits) {
    RA_TRY(const Tlv whole, outer.read_tlv(Tag::sequence, "PKIMessage"));
    RA_TRY_VOID(outer.expect_end("PKIMessage"));
    DerReader reader = outer.inside(whole.content);
    PKIMessage message;
    message.whole = whole.whole;
    RA_TRY(message.header, read_header(reader, limits));
    RA_TRY_VOID(read_body(reader, message));
    const std::size_t offset = reader.offset();
    RA_TRY(const auto protection, reader.read_optional(context(0), "protection"));
    if (protection) {
        DerReader inner = reader.inside(*protection);
        RA_TRY(message.protection, inner.read_bit_string("protection"));
        RA_TRY_VOID(inner.expect_end("protection"));
    }
    // RFC 9810 5.1.1: the one is there if and only if the other is.
    if (message.protection && !message.header.protection_alg) {
        return fail(Errc::missing, "protectionAlg", offset);
    }
    if (!message.protection && message.header.protection_alg) {
        return fail(Errc::missing, "protection", offset);
    }
    RA_TRY_VOID(read_extra_certs(reader, message, limits));
    RA_TRY_VOID(reader.expect_end("PKIMessage"));
    return message;
}

Result<PKIMessage> parse_pki_message(ByteView der, const Limits& limits) {
    if (der.size() > limits.message_octets) {
        return fail(Errc::too_large, "PKIMessage", limits.message_octets);
    }
    return read_pki_message(DerReader{der}, limits);
}

std::optional<InfoTypeAndValue> PKIHeader::info(ByteView type) const noexcept {
    if (!general_info) return std::nullopt;
    DerReader list{*general_info};
    while (!list.at_end()) {
        const auto info = read_info(list, "generalInfo");
        if (!info.has_value()) return std::nullopt;
        if (equal(info->type, type)) return *info;
    }
    return std::nullopt;
}

bool PKIHeader::implicit_confirm() const noexcept {
    return info(oid::kImplicitConfirm.view()).has_value();
}

std::optional<std::string_view> PKIHeader::cert_profile() const noexcept {
    const auto found = info(oid::kCertProfile.view());
    if (!found) return std::nullopt;
    DerReader outer{found->value};
    const auto list = outer.read(Tag::sequence, "certProfile");
    if (!list.has_value()) return std::nullopt;
    DerReader names{*list};
    const auto name = names.read_utf8("certProfile");
    if (!name.has_value() || !names.at_end()) return std::nullopt;
    return as_text(*name);
}

std::optional<ByteView> directory_name(ByteView general_name) noexcept {
    DerReader reader{general_name};
    const auto tagged = reader.read(context(4), "directoryName");
    if (!tagged.has_value()) return std::nullopt;
    return *tagged;
}

bool is_null_dn(ByteView general_name) noexcept {
    constexpr std::uint8_t kNullDn[] = {0xa4, 0x02, 0x30, 0x00};
    return equal(general_name, kNullDn);
}

Result<ParsedMessage> ParsedMessage::parse(MessageBuffer&& buffer, const Limits& limits) {
    RA_TRY(PKIMessage message, parse_pki_message(buffer.view(), limits));
    return ParsedMessage{std::make_unique<Parts>(Parts{std::move(message), std::move(buffer)})};
}

}  // namespace ra::cmp
