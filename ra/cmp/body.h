#pragma once

#include <optional>
#include <vector>

#include "ra/asn1/certificate.h"
#include "ra/cmp/message.h"

/// The bodies as views. Every parse function takes PKIMessage::content (one TLV) and its offset in
/// the message, borrows it, and returns errors with field and offset.
namespace ra::cmp {

/// SubjectPublicKeyInfo ::= SEQUENCE { algorithm AlgorithmIdentifier, subjectPublicKey BIT STRING }
struct SubjectPublicKeyInfo {
    ByteView whole;  // as a universal SEQUENCE TLV where it stands so; in a CertTemplate the tag is
                     // [6] IMPLICIT: see CertTemplate::public_key_der()
    AlgorithmIdentifier algorithm;
    ByteView key;  // octets of the BIT STRING; empty: central key generation
};

/// Extension ::= SEQUENCE { extnID OBJECT IDENTIFIER, critical BOOLEAN DEFAULT FALSE, extnValue
/// OCTET STRING }
using asn1::Extension;

struct OptionalValidity {
    std::optional<WallTime> not_before;
    std::optional<WallTime> not_after;
};

/// CertTemplate (RFC 4211 5), all fields OPTIONAL, IMPLICIT tags.
struct CertTemplate {
    ByteView whole;
    std::optional<std::int64_t> version;
    std::optional<ByteView> serial_number;  // INTEGER content
    std::optional<ByteView> signing_alg;    // content of the AlgorithmIdentifier
    std::optional<ByteView> issuer;         // Name TLV
    std::optional<OptionalValidity> validity;
    std::optional<ByteView> subject;                 // Name TLV (30 00: NULL-DN)
    std::optional<SubjectPublicKeyInfo> public_key;  // `whole` is the [6] TLV
    bool has_issuer_uid = false;
    bool has_subject_uid = false;
    std::vector<Extension> extensions;  // each OID once

    /// The public key as a universal SubjectPublicKeyInfo; empty if absent. Allocates.
    [[nodiscard]] Bytes public_key_der() const;
    /// publicKey absent or its BIT STRING empty (RFC 9483 4.1.6).
    [[nodiscard]] bool wants_central_key_generation() const noexcept;
};

/// AttributeTypeAndValue ::= SEQUENCE { type OBJECT IDENTIFIER, value ANY }
struct AttributeTypeAndValue {
    ByteView type;
    ByteView value;  // the TLV
};

/// POPOSigningKey (RFC 4211 4.1).
struct POPOSigningKey {
    /// [0] POPOSigningKeyInput: the content of the IMPLICIT SEQUENCE; hashed as 30 len content.
    std::optional<ByteView> poposk_input;
    std::optional<ByteView> input_sender;           // GeneralName TLV, if authInfo is sender
    std::optional<SubjectPublicKeyInfo> input_key;  // publicKey in the input
    AlgorithmIdentifier algorithm;
    ByteView signature;
};

enum class PopoType : std::uint8_t { absent, raVerified, signature, keyEncipherment, keyAgreement };

/// CertReqMsg (RFC 4211 3).
struct CertReqMsg {
    ByteView whole;
    ByteView cert_req;  // the CertRequest TLV: what POP signs
    std::int64_t cert_req_id = 0;
    CertTemplate cert_template;
    std::vector<AttributeTypeAndValue> controls;
    PopoType popo = PopoType::absent;
    std::optional<POPOSigningKey> popo_signature;
    ByteView popo_other;  // content TLV of keyEncipherment / keyAgreement (POPOPrivKey)
    std::vector<AttributeTypeAndValue> reg_info;
};
[[nodiscard]] Result<std::vector<CertReqMsg>> parse_cert_req_messages(ByteView content,
                                                                      std::size_t offset,
                                                                      const Limits& limits);

/// CertificationRequest (RFC 2986).
struct CertificationRequest {
    ByteView whole;
    ByteView info;     // certificationRequestInfo TLV: what is signed
    ByteView subject;  // Name TLV
    SubjectPublicKeyInfo public_key;
    std::vector<Extension> extensions;       // of the extensionRequest attribute
    std::vector<ByteView> other_attributes;  // OID contents of the others
    AlgorithmIdentifier algorithm;
    ByteView signature;
};
[[nodiscard]] Result<CertificationRequest> parse_certification_request(ByteView content,
                                                                       std::size_t offset,
                                                                       const Limits& limits);

/// PKIStatusInfo (RFC 9810 5.2.3).
struct PKIStatusInfo {
    ByteView whole;
    PKIStatus status{};
    std::vector<std::string_view> status_string;
    std::optional<std::uint32_t> fail_info;  // bit n set: PKIFailureInfo n
};

/// CertResponse (RFC 9810 5.3.4).
struct CertResponse {
    std::int64_t cert_req_id = 0;
    PKIStatusInfo status;
    bool has_certified_key_pair = false;
    ByteView certificate;  // Certificate TLV; empty: encryptedCert or none
    bool encrypted_cert = false;
    bool has_private_key = false;
};
struct CertRepMessage {
    std::vector<ByteView> ca_pubs;  // Certificate TLVs
    std::vector<CertResponse> responses;
};
[[nodiscard]] Result<CertRepMessage> parse_cert_rep(ByteView content, std::size_t offset,
                                                    const Limits& limits);

/// RevDetails (RFC 9810 5.3.9); the reason of crlEntryDetails, if there.
struct RevDetails {
    CertTemplate cert_details;
    std::vector<Extension> crl_entry_details;
    std::optional<std::int64_t> reason;
};
[[nodiscard]] Result<std::vector<RevDetails>> parse_rev_req(ByteView content, std::size_t offset,
                                                            const Limits& limits);

/// RevRepContent (RFC 9810 5.3.10).
struct RevRepContent {
    std::vector<PKIStatusInfo> status;
    unsigned rev_certs = 0;
    unsigned crls = 0;
};
[[nodiscard]] Result<RevRepContent> parse_rev_rep(ByteView content, std::size_t offset,
                                                  const Limits& limits);

/// CertStatus (RFC 9810 5.3.18).
struct CertStatus {
    ByteView cert_hash;
    std::int64_t cert_req_id = 0;
    std::optional<PKIStatusInfo> status_info;
    std::optional<AlgorithmIdentifier> hash_alg;
};
[[nodiscard]] Result<std::vector<CertStatus>> parse_cert_conf(ByteView content, std::size_t offset,
                                                              const Limits& limits);

/// certReqIds of PollReqContent (RFC 9810 5.3.22).
[[nodiscard]] Result<std::vector<std::int64_t>> parse_poll_req(ByteView content, std::size_t offset,
                                                               const Limits& limits);
struct PollRep {
    std::int64_t cert_req_id = 0;
    std::int64_t check_after = 0;  // seconds
    std::vector<std::string_view> reason;
};
[[nodiscard]] Result<std::vector<PollRep>> parse_poll_rep(ByteView content, std::size_t offset,
                                                          const Limits& limits);

/// GenMsgContent, GenRepContent (RFC 9810 5.3.19, 5.3.20).
[[nodiscard]] Result<std::vector<InfoTypeAndValue>> parse_gen_msg(ByteView content,
                                                                  std::size_t offset,
                                                                  const Limits& limits);

/// ErrorMsgContent (RFC 9810 5.3.21).
struct ErrorMsgContent {
    PKIStatusInfo status;
    std::optional<std::int64_t> error_code;
    std::vector<std::string_view> details;
};
[[nodiscard]] Result<ErrorMsgContent> parse_error(ByteView content, std::size_t offset,
                                                  const Limits& limits);

/// PKIMessages of a nested body, each parsed (RFC 9810 5.1.3.5), down to limits.nesting_depth.
[[nodiscard]] Result<std::vector<PKIMessage>> parse_nested(ByteView content, std::size_t offset,
                                                           const Limits& limits);

/// Parses whatever body `message` has and forgets it: is the whole message well formed?
/// Announcements, krp and popdecc/popdecr are checked as DER only.
[[nodiscard]] Result<void> check_body(const PKIMessage& message, const Limits& limits);

}  // namespace ra::cmp
