#include "ra/cmp/oids.h"
#include "ra/cmp/parse_body.h"

/// Answers of a CA: status, certificates, revocation, polling, errors (RFC 9810 5.2, 5.3).
namespace ra::cmp {

using asn1::context;
using asn1::DerReader;
using asn1::Tag;
using asn1::Tlv;

Result<DerReader> open_sequence(ByteView content, std::size_t offset, std::string_view field) {
    DerReader outer{content, offset};
    RA_TRY(const ByteView inner, outer.read(Tag::sequence, field));
    RA_TRY_VOID(outer.expect_end(field));
    return outer.inside(inner);
}

namespace {

/// PKIFreeText ::= SEQUENCE SIZE (1..MAX) OF UTF8String
Result<std::vector<std::string_view>> parse_free_text(DerReader reader, std::string_view field) {
    std::vector<std::string_view> texts;
    if (reader.at_end()) return fail(Errc::missing, field, reader.offset());
    while (!reader.at_end()) {
        RA_TRY(const ByteView text, reader.read_utf8(field));
        texts.push_back(as_text(text));
    }
    return texts;
}

/// EncryptedKey ::= CHOICE { encryptedValue EncryptedValue, envelopedData [0] EnvelopedData }:
/// opaque here
Result<void> check_encrypted_key(DerReader reader, std::string_view field) {
    const std::size_t at = reader.offset();
    RA_TRY(const Tlv tlv, reader.read_any(field));
    if (tlv.tag != Tag::sequence && tlv.tag != context(0)) return fail(Errc::bad_tag, field, at);
    return reader.expect_end(field);
}

/// CertifiedKeyPair ::= SEQUENCE { certOrEncCert CertOrEncCert, privateKey [0] EncryptedKey
/// OPTIONAL,
///                                 publicationInfo [1] PKIPublicationInfo OPTIONAL }
/// CertOrEncCert ::= CHOICE { certificate [0] CMPCertificate, encryptedCert [1] EncryptedKey }
Result<void> parse_certified_key_pair(DerReader reader, CertResponse& response) {
    response.has_certified_key_pair = true;
    const std::size_t at = reader.offset();
    RA_TRY(const Tlv choice, reader.read_any("certOrEncCert"));
    DerReader inner = reader.inside(choice.content);
    if (choice.tag == context(0)) {
        RA_TRY(const Tlv certificate, inner.read_tlv(Tag::sequence, "certificate"));
        RA_TRY_VOID(inner.expect_end("certificate"));
        response.certificate = certificate.whole;
    } else if (choice.tag == context(1)) {
        RA_TRY_VOID(check_encrypted_key(inner, "encryptedCert"));
        response.encrypted_cert = true;
    } else {
        return fail(Errc::bad_tag, "certOrEncCert", at);
    }
    RA_TRY(const auto private_key, reader.read_optional(context(0), "privateKey"));
    if (private_key) {
        RA_TRY_VOID(check_encrypted_key(reader.inside(*private_key), "privateKey"));
        response.has_private_key = true;
    }
    RA_TRY(const auto publication, reader.read_optional(context(1), "publicationInfo"));
    static_cast<void>(publication);
    return reader.expect_end("certifiedKeyPair");
}

/// CertResponse ::= SEQUENCE { certReqId INTEGER, status PKIStatusInfo, certifiedKeyPair
/// CertifiedKeyPair OPTIONAL,
///                             rspInfo OCTET STRING OPTIONAL }
Result<CertResponse> read_cert_response(DerReader& list) {
    RA_TRY(const ByteView content, list.read(Tag::sequence, "certResponse"));
    DerReader reader = list.inside(content);
    CertResponse response;
    RA_TRY(response.cert_req_id, reader.read_integer("certReqId"));
    RA_TRY(response.status, read_status_info(reader));
    RA_TRY(const auto pair, reader.read_optional(Tag::sequence, "certifiedKeyPair"));
    if (pair) RA_TRY_VOID(parse_certified_key_pair(reader.inside(*pair), response));
    RA_TRY(const auto info, reader.read_optional(Tag::octet_string, "rspInfo"));
    static_cast<void>(info);
    RA_TRY_VOID(reader.expect_end("certResponse"));
    return response;
}

/// Counts the elements of a SEQUENCE behind [n] EXPLICIT.
Result<unsigned> count_elements(DerReader& reader, unsigned number, std::string_view field) {
    RA_TRY(const auto outer, reader.read_optional(context(number), field));
    if (!outer) return 0U;
    DerReader explicit_tag = reader.inside(*outer);
    RA_TRY(const ByteView content, explicit_tag.read(Tag::sequence, field));
    RA_TRY_VOID(explicit_tag.expect_end(field));
    DerReader items = explicit_tag.inside(content);
    unsigned count = 0;
    while (!items.at_end()) {
        RA_TRY(const Tlv item, items.read_tlv(Tag::sequence, field));
        static_cast<void>(item);
        ++count;
    }
    if (count == 0) return fail(Errc::missing, field, items.offset());
    return count;
}

}  // namespace

/// PKIStatusInfo ::= SEQUENCE { status INTEGER, statusString PKIFreeText OPTIONAL, failInfo
/// PKIFailureInfo OPTIONAL }
Result<PKIStatusInfo> read_status_info(DerReader& outer) {
    RA_TRY(const Tlv whole, outer.read_tlv(Tag::sequence, "pKIStatusInfo"));
    DerReader reader = outer.inside(whole.content);
    PKIStatusInfo info;
    info.whole = whole.whole;
    RA_TRY(const std::uint64_t status, reader.read_unsigned("status", 6));
    info.status = static_cast<PKIStatus>(status);
    RA_TRY(const auto texts, reader.read_optional(Tag::sequence, "statusString"));
    if (texts) {
        RA_TRY(info.status_string, parse_free_text(reader.inside(*texts), "statusString"));
    }
    if (reader.peek() == Tag::bit_string) {
        RA_TRY(const std::uint32_t bits, reader.read_named_bits("failInfo"));
        info.fail_info = bits;
    }
    RA_TRY_VOID(reader.expect_end("pKIStatusInfo"));
    return info;
}

/// CertRepMessage ::= SEQUENCE { caPubs [1] SEQUENCE SIZE (1..MAX) OF CMPCertificate OPTIONAL,
/// response SEQUENCE OF CertResponse }
Result<CertRepMessage> parse_cert_rep(ByteView content, std::size_t offset, const Limits& limits) {
    RA_TRY(DerReader reader, open_sequence(content, offset, "certRepMessage"));
    CertRepMessage rep;
    RA_TRY(const auto ca_pubs, reader.read_optional(context(1), "caPubs"));
    if (ca_pubs) {
        DerReader explicit_tag = reader.inside(*ca_pubs);
        RA_TRY(const ByteView list, explicit_tag.read(Tag::sequence, "caPubs"));
        RA_TRY_VOID(explicit_tag.expect_end("caPubs"));
        DerReader certificates = explicit_tag.inside(list);
        if (certificates.at_end()) return fail(Errc::missing, "caPubs", certificates.offset());
        while (!certificates.at_end()) {
            if (rep.ca_pubs.size() >= limits.extra_certs)
                return fail(Errc::too_many, "caPubs", certificates.offset());
            RA_TRY(const Tlv certificate, certificates.read_tlv(Tag::sequence, "caPubs"));
            rep.ca_pubs.push_back(certificate.whole);
        }
    }
    RA_TRY(const ByteView list, reader.read(Tag::sequence, "response"));
    RA_TRY_VOID(reader.expect_end("certRepMessage"));
    DerReader responses = reader.inside(list);
    while (!responses.at_end()) {
        if (rep.responses.size() >= limits.cert_req_msgs)
            return fail(Errc::too_many, "response", responses.offset());
        RA_TRY(CertResponse response, read_cert_response(responses));
        rep.responses.push_back(std::move(response));
    }
    return rep;
}

/// RevRepContent ::= SEQUENCE { status SEQUENCE SIZE (1..MAX) OF PKIStatusInfo, revCerts [0]
/// SEQUENCE OF CertId OPTIONAL,
///                              crls [1] SEQUENCE OF CertificateList OPTIONAL }
Result<RevRepContent> parse_rev_rep(ByteView content, std::size_t offset, const Limits& limits) {
    RA_TRY(DerReader reader, open_sequence(content, offset, "revRepContent"));
    RevRepContent rep;
    RA_TRY(const ByteView list, reader.read(Tag::sequence, "status"));
    DerReader statuses = reader.inside(list);
    if (statuses.at_end()) return fail(Errc::missing, "status", statuses.offset());
    while (!statuses.at_end()) {
        if (rep.status.size() >= limits.cert_req_msgs)
            return fail(Errc::too_many, "status", statuses.offset());
        RA_TRY(PKIStatusInfo status, read_status_info(statuses));
        rep.status.push_back(std::move(status));
    }
    RA_TRY(rep.rev_certs, count_elements(reader, 0, "revCerts"));
    RA_TRY(rep.crls, count_elements(reader, 1, "crls"));
    RA_TRY_VOID(reader.expect_end("revRepContent"));
    return rep;
}

/// PollRepContent ::= SEQUENCE OF SEQUENCE { certReqId INTEGER, checkAfter INTEGER, reason
/// PKIFreeText OPTIONAL }
Result<std::vector<PollRep>> parse_poll_rep(ByteView content, std::size_t offset,
                                            const Limits& limits) {
    RA_TRY(DerReader list, open_sequence(content, offset, "pollRepContent"));
    std::vector<PollRep> all;
    while (!list.at_end()) {
        if (all.size() >= limits.cert_req_msgs)
            return fail(Errc::too_many, "pollRepContent", list.offset());
        RA_TRY(const ByteView item, list.read(Tag::sequence, "pollRepContent"));
        DerReader reader = list.inside(item);
        PollRep one;
        RA_TRY(one.cert_req_id, reader.read_integer("certReqId"));
        RA_TRY(one.check_after, reader.read_integer("checkAfter"));
        RA_TRY(const auto reason, reader.read_optional(Tag::sequence, "reason"));
        if (reason) {
            RA_TRY(one.reason, parse_free_text(reader.inside(*reason), "reason"));
        }
        RA_TRY_VOID(reader.expect_end("pollRepContent"));
        all.push_back(std::move(one));
    }
    if (all.empty()) return fail(Errc::missing, "pollRepContent", offset);
    return all;
}

/// ErrorMsgContent ::= SEQUENCE { pKIStatusInfo PKIStatusInfo, errorCode INTEGER OPTIONAL,
/// errorDetails PKIFreeText OPTIONAL }
Result<ErrorMsgContent> parse_error(ByteView content, std::size_t offset, const Limits&) {
    RA_TRY(DerReader reader, open_sequence(content, offset, "errorMsgContent"));
    ErrorMsgContent error;
    RA_TRY(error.status, read_status_info(reader));
    if (reader.peek() == Tag::integer) {
        RA_TRY(const std::int64_t code, reader.read_integer("errorCode"));
        error.error_code = code;
    }
    RA_TRY(const auto details, reader.read_optional(Tag::sequence, "errorDetails"));
    if (details) {
        RA_TRY(error.details, parse_free_text(reader.inside(*details), "errorDetails"));
    }
    RA_TRY_VOID(reader.expect_end("errorMsgContent"));
    return error;
}

}  // namespace ra::cmp
