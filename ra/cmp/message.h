#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "ra/asn1/der_reader.h"
#include "ra/base/bytes.h"
#include "ra/base/result.h"
#include "ra/base/time.h"
#include "ra/cmp/limits.h"
#include "ra/cmp/types.h"

namespace ra::cmp {

/// The octets of one received message. Moving it leaves their address unchanged, so that views
/// into it stay valid as long as some owner lives.
class MessageBuffer {
public:
    MessageBuffer() = default;
    explicit MessageBuffer(Bytes der) noexcept : der_{std::move(der)} {}
    MessageBuffer(MessageBuffer&&) noexcept = default;
    MessageBuffer& operator=(MessageBuffer&&) noexcept = default;
    MessageBuffer(const MessageBuffer&) = delete;
    MessageBuffer& operator=(const MessageBuffer&) = delete;

    [[nodiscard]] ByteView view() const noexcept { return der_; }
    /// Gives the octets away; all views end.
    [[nodiscard]] Bytes release() && noexcept { return std::move(der_); }

private:
    Bytes der_;
};

/// AlgorithmIdentifier ::= SEQUENCE { algorithm OBJECT IDENTIFIER, parameters ANY OPTIONAL }
struct AlgorithmIdentifier {
    ByteView whole;       // the TLV
    ByteView algorithm;   // OID content
    ByteView parameters;  // the TLV; empty: absent
};

/// InfoTypeAndValue ::= SEQUENCE { infoType OBJECT IDENTIFIER, infoValue ANY OPTIONAL }
struct InfoTypeAndValue {
    ByteView type;   // OID content
    ByteView value;  // the TLV; empty: absent
};

/// PKIHeader (RFC 9810 5.1.1), fields as views. Which are REQUIRED is the lightweight profile's
/// business (check_header); the parser only wants the ASN.1.
struct PKIHeader {
    ByteView whole;         // the TLV
    std::uint8_t pvno = 0;  // 0..255; 2 and 3 are supported
    ByteView sender;        // GeneralName TLV
    ByteView recipient;     // GeneralName TLV
    std::optional<WallTime> message_time;
    std::optional<AlgorithmIdentifier> protection_alg;
    std::optional<ByteView> sender_kid;
    std::optional<ByteView> recip_kid;
    std::optional<ByteView> transaction_id;
    std::optional<ByteView> sender_nonce;
    std::optional<ByteView> recip_nonce;
    std::optional<ByteView> free_text;     // content of PKIFreeText: UTF8String TLVs, checked
    std::optional<ByteView> general_info;  // content: InfoTypeAndValue TLVs, checked

    /// The value of a generalInfo element by OID content; nullopt: not there.
    [[nodiscard]] std::optional<InfoTypeAndValue> info(ByteView type) const noexcept;
    /// id-it-implicitConfirm is there (RFC 9810 5.1.1.1).
    [[nodiscard]] bool implicit_confirm() const noexcept;
    /// The one certProfile name (RFC 9810 5.1.1.4); nullopt: absent or not exactly one.
    [[nodiscard]] std::optional<std::string_view> cert_profile() const noexcept;
};

/// The Name TLV in a GeneralName that is a directoryName; nullopt for the other choices.
[[nodiscard]] std::optional<ByteView> directory_name(ByteView general_name) noexcept;
/// Is this GeneralName the NULL-DN (RFC 9810 5.1.1)?
[[nodiscard]] bool is_null_dn(ByteView general_name) noexcept;

/// PKIMessage (RFC 9810 5.1) as views into somebody's octets. The body is recognised, not parsed.
struct PKIMessage {
    ByteView whole;
    PKIHeader header;
    BodyType type{};
    ByteView body;                       // the TLV A0|n
    ByteView content;                    // what stands in it: one TLV
    std::optional<ByteView> protection;  // octets of the BIT STRING
    ByteView extra_certs;                // CertificateList content: Certificate TLVs; empty: absent
    unsigned extra_certs_count = 0;

    /// header TLV and body TLV, adjacent in the message: content of ProtectedPart (5.1.3).
    [[nodiscard]] ByteView protected_content() const noexcept {
        return {header.whole.data(), header.whole.size() + body.size()};
    }
};

/// Parses strictly: DER, the limits, protectionAlg if and only if protection, extraCerts not empty,
/// each generalInfo OID once. `der` must outlive the views. Errors name field and offset.
///
/// PKIMessage ::= SEQUENCE { header PKIHeader, body PKIBody, protection [0] PKIProtection OPTIONAL,
///                           extraCerts [1] SEQUENCE SIZE (1..MAX) OF CMPCertificate OPTIONAL }
[[nodiscard]] Result<PKIMessage> parse_pki_message(ByteView der, const Limits& limits);

/// What can be had of a message that does not parse (S-32): only from a well-formed header prefix,
/// length-capped. Empty views where not found.
struct Salvage {
    ByteView transaction_id;
    ByteView sender_nonce;
    std::uint8_t pvno = 2;
};
[[nodiscard]] Salvage salvage(ByteView der, const Limits& limits) noexcept;

/// A message that parsed, with the octets it is a view of. Handed from stage to stage, so it is one
/// pointer wide.
class ParsedMessage {
public:
    /// Takes the octets if they parse; else `buffer` keeps them (for salvage()).
    [[nodiscard]] static Result<ParsedMessage> parse(MessageBuffer&& buffer, const Limits& limits);

    [[nodiscard]] const PKIMessage& message() const noexcept { return parts_->message; }
    [[nodiscard]] const PKIMessage* operator->() const noexcept { return &parts_->message; }
    [[nodiscard]] ByteView der() const noexcept { return parts_->buffer.view(); }
    /// Gives the octets away; all views end.
    [[nodiscard]] Bytes release() && noexcept { return std::move(parts_->buffer).release(); }

private:
    struct Parts {
        PKIMessage message;
        MessageBuffer buffer;
    };
    explicit ParsedMessage(std::unique_ptr<Parts> parts) noexcept : parts_{std::move(parts)} {}

    std::unique_ptr<Parts> parts_;
};

}  // namespace ra::cmp
