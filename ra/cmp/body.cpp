#include "ra/cmp/body.h"

#include "ra/asn1/oids.h"
#include "ra/cmp/parse_body.h"

/// The other bodies: revocation requests, confirmation, polling, general messages, nested.
namespace ra::cmp {

using asn1::context;
using asn1::DerReader;
using asn1::Tag;
using asn1::Tlv;

namespace {

/// reasonCode ::= CRLReason, an ENUMERATED inside the extension's value (RFC 5280 5.3.1)
Result<std::int64_t> parse_reason(ByteView value, std::size_t offset) {
    DerReader reader{value, offset};
    RA_TRY(const ByteView content, reader.read(Tag::enumerated, "reasonCode"));
    RA_TRY_VOID(reader.expect_end("reasonCode"));
    if (content.size() != 1 || content[0] > 10) return fail(Errc::bad_value, "reasonCode", offset);
    return std::int64_t{content[0]};
}

/// RevDetails ::= SEQUENCE { certDetails CertTemplate, crlEntryDetails Extensions OPTIONAL }
Result<RevDetails> read_rev_details(DerReader& list, const Limits& limits) {
    RA_TRY(const ByteView content, list.read(Tag::sequence, "revDetails"));
    DerReader reader = list.inside(content);
    RevDetails details;
    RA_TRY(const Tlv cert_details, reader.read_tlv(Tag::sequence, "certDetails"));
    RA_TRY(details.cert_details,
           parse_cert_template(reader.inside(cert_details.content), cert_details.whole, limits));
    RA_TRY(const auto extensions, reader.read_optional(Tag::sequence, "crlEntryDetails"));
    if (extensions) {
        RA_TRY(details.crl_entry_details,
               parse_extensions(reader.inside(*extensions), limits, asn1::Defaults::omitted));
    }
    RA_TRY_VOID(reader.expect_end("revDetails"));
    constexpr asn1::Oid kReasonCode = asn1::oid("2.5.29.21");
    for (const Extension& extension : details.crl_entry_details) {
        if (!(kReasonCode == extension.id)) continue;
        RA_TRY(const std::int64_t reason,
               parse_reason(extension.value, list.inside(extension.value).offset()));
        details.reason = reason;
    }
    return details;
}

/// CertStatus ::= SEQUENCE { certHash OCTET STRING, certReqId INTEGER, statusInfo PKIStatusInfo
/// OPTIONAL,
///                           hashAlg [0] AlgorithmIdentifier OPTIONAL }
Result<CertStatus> read_cert_status(DerReader& list) {
    RA_TRY(const ByteView content, list.read(Tag::sequence, "certStatus"));
    DerReader reader = list.inside(content);
    CertStatus status;
    RA_TRY(status.cert_hash, reader.read(Tag::octet_string, "certHash"));
    RA_TRY(status.cert_req_id, reader.read_integer("certReqId"));
    if (reader.peek() == Tag::sequence) {
        RA_TRY(status.status_info, read_status_info(reader));
    }
    RA_TRY(const auto hash_alg, reader.read_optional(context(0), "hashAlg"));
    if (hash_alg) {
        DerReader inner = reader.inside(*hash_alg);
        RA_TRY(status.hash_alg, read_algorithm(inner, "hashAlg"));
        RA_TRY_VOID(inner.expect_end("hashAlg"));
    }
    RA_TRY_VOID(reader.expect_end("certStatus"));
    return status;
}

}  // namespace

/// RevReqContent ::= SEQUENCE OF RevDetails
Result<std::vector<RevDetails>> parse_rev_req(ByteView content, std::size_t offset,
                                              const Limits& limits) {
    RA_TRY(DerReader list, open_sequence(content, offset, "revReqContent"));
    std::vector<RevDetails> all;
    if (list.at_end()) return fail(Errc::missing, "revReqContent", list.offset());
    while (!list.at_end()) {
        if (all.size() >= limits.cert_req_msgs)
            return fail(Errc::too_many, "revReqContent", list.offset());
        RA_TRY(RevDetails details, read_rev_details(list, limits));
        all.push_back(std::move(details));
    }
    return all;
}

/// CertConfirmContent ::= SEQUENCE OF CertStatus (empty: all rejected)
Result<std::vector<CertStatus>> parse_cert_conf(ByteView content, std::size_t offset,
                                                const Limits& limits) {
    RA_TRY(DerReader list, open_sequence(content, offset, "certConfirmContent"));
    std::vector<CertStatus> all;
    while (!list.at_end()) {
        if (all.size() >= limits.cert_req_msgs)
            return fail(Errc::too_many, "certConfirmContent", list.offset());
        RA_TRY(CertStatus status, read_cert_status(list));
        all.push_back(std::move(status));
    }
    return all;
}

/// PollReqContent ::= SEQUENCE OF SEQUENCE { certReqId INTEGER }
Result<std::vector<std::int64_t>> parse_poll_req(ByteView content, std::size_t offset,
                                                 const Limits& limits) {
    RA_TRY(DerReader list, open_sequence(content, offset, "pollReqContent"));
    std::vector<std::int64_t> all;
    while (!list.at_end()) {
        if (all.size() >= limits.cert_req_msgs)
            return fail(Errc::too_many, "pollReqContent", list.offset());
        RA_TRY(const ByteView item, list.read(Tag::sequence, "pollReqContent"));
        DerReader reader = list.inside(item);
        RA_TRY(const std::int64_t id, reader.read_integer("certReqId"));
        RA_TRY_VOID(reader.expect_end("pollReqContent"));
        all.push_back(id);
    }
    if (all.empty()) return fail(Errc::missing, "pollReqContent", offset);
    return all;
}

/// GenMsgContent ::= SEQUENCE OF InfoTypeAndValue
Result<std::vector<InfoTypeAndValue>> parse_gen_msg(ByteView content, std::size_t offset,
                                                    const Limits& limits) {
    RA_TRY(DerReader list, open_sequence(content, offset, "genMsgContent"));
    std::vector<InfoTypeAndValue> all;
    while (!list.at_end()) {
        if (all.size() >= limits.general_info)
            return fail(Errc::too_many, "genMsgContent", list.offset());
        RA_TRY(const InfoTypeAndValue info, read_info(list, "infoTypeAndValue"));
        all.push_back(info);
    }
    return all;
}

namespace {

Result<std::vector<PKIMessage>> parse_nested_at(ByteView content, std::size_t offset,
                                                const Limits& limits, unsigned depth) {
    if (depth > limits.nesting_depth) return fail(Errc::too_deep, "nested", offset);
    RA_TRY(DerReader list, open_sequence(content, offset, "nested"));
    std::vector<PKIMessage> all;
    if (list.at_end()) return fail(Errc::missing, "nested", list.offset());
    while (!list.at_end()) {
        const std::size_t at = list.offset();
        if (all.size() >= limits.nested_messages) return fail(Errc::too_many, "nested", at);
        RA_TRY(const Tlv tlv, list.read_tlv(Tag::sequence, "nested"));
        RA_TRY(PKIMessage message, read_pki_message(DerReader{tlv.whole, at}, limits));
        if (message.type == BodyType::nested) {
            const auto inner_at =
                at + static_cast<std::size_t>(message.content.data() - tlv.whole.data());
            RA_TRY(const auto inner, parse_nested_at(message.content, inner_at, limits, depth + 1));
            static_cast<void>(inner);
        }
        all.push_back(std::move(message));
    }
    return all;
}

/// Forgets what was parsed: only whether it parses counts.
template <class T>
Result<void> verdict(const Result<T>& parsed) {
    if (!parsed) return parsed.error();
    return boost::system::in_place_value;
}

}  // namespace

/// PKIMessages ::= SEQUENCE SIZE (1..MAX) OF PKIMessage
Result<std::vector<PKIMessage>> parse_nested(ByteView content, std::size_t offset,
                                             const Limits& limits) {
    return parse_nested_at(content, offset, limits, 1);
}

namespace {

/// Every body in a nested one; their offsets counted in the outer message. parse_nested() has
/// bounded the depth before this goes deeper.
Result<void> check_nested(const PKIMessage& outer, std::size_t offset, const Limits& limits) {
    RA_TRY(const auto messages, parse_nested(outer.content, offset, limits));
    for (const PKIMessage& message : messages) {
        auto checked = check_body(message, limits);
        if (checked.has_value()) continue;
        Error error = checked.error();
        error.offset += static_cast<std::size_t>(message.whole.data() - outer.whole.data());
        return error;
    }
    return boost::system::in_place_value;
}

}  // namespace

Result<void> check_body(const PKIMessage& message, const Limits& limits) {
    const ByteView content = message.content;
    const auto offset = static_cast<std::size_t>(content.data() - message.whole.data());
    switch (message.type) {
        case BodyType::ir:
        case BodyType::cr:
        case BodyType::kur:
        case BodyType::krr:
        case BodyType::ccr:
            return verdict(parse_cert_req_messages(content, offset, limits));
        case BodyType::ip:
        case BodyType::cp:
        case BodyType::kup:
        case BodyType::ccp:
            return verdict(parse_cert_rep(content, offset, limits));
        case BodyType::p10cr:
            return verdict(parse_certification_request(content, offset, limits));
        case BodyType::rr:
            return verdict(parse_rev_req(content, offset, limits));
        case BodyType::rp:
            return verdict(parse_rev_rep(content, offset, limits));
        case BodyType::genm:
        case BodyType::genp:
            return verdict(parse_gen_msg(content, offset, limits));
        case BodyType::error:
            return verdict(parse_error(content, offset, limits));
        case BodyType::certConf:
            return verdict(parse_cert_conf(content, offset, limits));
        case BodyType::pollReq:
            return verdict(parse_poll_req(content, offset, limits));
        case BodyType::pollRep:
            return verdict(parse_poll_rep(content, offset, limits));
        case BodyType::nested:
            return check_nested(message, offset, limits);
        case BodyType::pkiconf: {
            DerReader reader{content, offset};
            RA_TRY_VOID(reader.read_null("pkiconf"));
            return reader.expect_end("pkiconf");
        }
        default: {
            // Announcements, krp, popdecc, popdecr: DER within the depth, not looked into.
            auto checked = asn1::check_der(content, limits.depth, to_string(message.type));
            if (checked.has_value()) return checked;
            Error error = checked.error();
            error.offset += offset;
            return error;
        }
    }
}

}  // namespace ra::cmp
