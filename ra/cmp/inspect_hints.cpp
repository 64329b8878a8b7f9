#include "ra/asn1/name.h"
#include "ra/cmp/fields.h"
#include "ra/cmp/inspect_tree.h"
#include "ra/cmp/oids.h"

/// What a person debugging an exchange wants to be told without being asked.
namespace ra::cmp::tree {
namespace {

using asn1::DerReader;
using asn1::Tag;

void say(array& hints, std::string_view hint) { hints.push_back(value(hint)); }

bool is_mac(ByteView algorithm) {
    return oid::kPasswordBasedMac == algorithm || oid::kPbmac1 == algorithm ||
           oid::kDhBasedMac == algorithm || oid::kKemBasedMac == algorithm;
}

/// A message that begins a transaction has no recipNonce, all others have one (RFC 9483 3.1).
bool begins(BodyType type) {
    return is_cert_request(type) || type == BodyType::p10cr || type == BodyType::rr ||
           type == BodyType::genm || type == BodyType::krr || type == BodyType::nested;
}

void header_hints(array& hints, const PKIMessage& message) {
    const PKIHeader& header = message.header;
    if (header.pvno != 2 && header.pvno != 3) say(hints, "pvno is neither 2 nor 3: unsupported");
    if (!header.transaction_id) say(hints, "transactionID is missing (REQUIRED, RFC 9483 3.1)");
    if (!header.sender_nonce) say(hints, "senderNonce is missing (REQUIRED, RFC 9483 3.1)");
    if (!header.message_time) say(hints, "messageTime is missing");
    if (begins(message.type) && header.recip_nonce) {
        say(hints, "recipNonce in a message that begins a transaction");
    }
    if (!begins(message.type) && !is_announcement(message.type) && !header.recip_nonce) {
        say(hints, "recipNonce is missing: this message answers another");
    }
    if (!header.sender_kid) {
        say(hints, is_null_dn(header.sender)
                       ? "neither sender nor senderKID says who sent this"
                       : "senderKID is missing (RECOMMENDED: many servers look the key up by it)");
    }
    if (header.info(oid::kConfirmWaitTime.view()) && header.implicit_confirm()) {
        say(hints, "confirmWaitTime beside implicitConfirm contradicts it");
    }
}

/// The first of extraCerts is the protection certificate (RFC 9483 3.3): the commonest fault is
/// that it is not, or that sender and senderKID are not its subject and its key identifier.
void certificate_hints(array& hints, const PKIMessage& message) {
    DerReader reader{message.extra_certs};
    if (reader.at_end()) {
        say(hints, "no extraCerts: the receiver must have the protection certificate already");
        return;
    }
    const auto first = reader.read_any("extraCerts");
    if (!first.has_value()) return;
    const auto certificate = asn1::parse_certificate(first->whole);
    if (!certificate.has_value()) {
        say(hints, "the first of extraCerts is not a certificate that parses");
        return;
    }
    const auto sender = directory_name(message.header.sender);
    if (sender && !is_null_dn(message.header.sender) && !equal(*sender, certificate->subject)) {
        say(hints, "sender is not the subject of the first of extraCerts (octet by octet)");
    }
    constexpr asn1::Oid kSubjectKeyIdentifier = asn1::oid("2.5.29.14");
    const auto extension = certificate->extension(kSubjectKeyIdentifier.view());
    if (!extension || !message.header.sender_kid) return;
    DerReader value{*extension};
    const auto identifier = value.read(Tag::octet_string, "subjectKeyIdentifier");
    if (identifier.has_value() && !equal(*identifier, *message.header.sender_kid)) {
        say(hints, "senderKID is not the subjectKeyIdentifier of the first of extraCerts");
    }
}

void mac_hints(array& hints, const AlgorithmIdentifier& algorithm) {
    if (!(oid::kPasswordBasedMac == algorithm.algorithm)) return;
    DerReader outer{algorithm.parameters};
    const auto content = outer.read(Tag::sequence, "PBMParameter");
    if (!content.has_value()) {
        say(hints, "PasswordBasedMac without its parameters");
        return;
    }
    DerReader reader{*content};
    const auto salt = reader.read(Tag::octet_string, "salt");
    if (!salt.has_value() || !read_algorithm(reader, "owf").has_value()) return;
    if (salt->size() < 8) say(hints, "PBM salt under 8 octets");
    const auto count = reader.read_integer("iterationCount");
    if (count.has_value() && *count < 100) {
        say(hints, "iterationCount under 100, the least RFC 9810 5.1.3.1 allows");
    }
}

void request_hints(array& hints, const PKIMessage& message, const Limits& limits) {
    const auto offset = static_cast<std::size_t>(message.content.data() - message.whole.data());
    const auto requests = parse_cert_req_messages(message.content, offset, limits);
    if (!requests.has_value()) return;
    if (requests->size() > 1) say(hints, "more than one CertReqMsg (RFC 9483 4.1.1 wants one)");
    for (const CertReqMsg& one : *requests) {
        if (one.cert_req_id != 0) say(hints, "certReqId is not 0 (RFC 9483 4.1.1)");
        const CertTemplate& wanted = one.cert_template;
        if (wanted.serial_number || wanted.signing_alg || wanted.has_issuer_uid ||
            wanted.has_subject_uid) {
            say(hints, "certTemplate has a field only a CA may choose (RFC 4211 5)");
        }
        if (!wanted.subject) say(hints, "certTemplate has no subject (RFC 9483 4.1.1)");
        if (wanted.wants_central_key_generation()) {
            say(hints, "no public key: asks for central key generation");
        } else if (one.popo == PopoType::absent) {
            say(hints, "public key without proof of possession");
        }
        if (one.popo == PopoType::raVerified) {
            say(hints, "raVerified: only an RA may say so, an end entity is refused");
        }
    }
}

}  // namespace

array hints(const PKIMessage& message, const Limits& limits) {
    array found;
    header_hints(found, message);
    if (!message.protection) {
        say(found, "not protected");
    } else if (is_mac(message.header.protection_alg->algorithm)) {
        mac_hints(found, *message.header.protection_alg);
    } else {
        certificate_hints(found, message);
    }
    if (is_cert_request(message.type)) request_hints(found, message, limits);
    if (const auto checked = check_body(message, limits); !checked.has_value()) {
        say(found, "the body does not parse: a receiver answers badDataFormat");
    }
    return found;
}

}  // namespace ra::cmp::tree
