#include "ra/gateway/responder.h"

#include <algorithm>

#include "policy/distinguished_name.h"
#include "ra/asn1/name.h"
#include "ra/base/secret.h"
#include "ra/crypto/mac.h"
#include "ra/crypto/protection.h"

namespace ra::gateway {
namespace {

using cmp::PKIFailureInfo;

UpstreamFault fault(std::string_view rule, std::string detail) {
    return {rule, PKIFailureInfo::systemFailure, std::move(detail)};
}

std::string describe(const Error& error) {
    return std::string(to_string(error.code)) + " in " + std::string(error.field);
}

bool is_authorised(const crypto::Chain& chain, const ResponderAuthority& authority) {
    const crypto::Certificate& leaf = *chain.leaf;
    const auto same = [&leaf](const crypto::CertificatePtr& pinned) {
        return pinned->digest() == leaf.digest();
    };
    if (std::any_of(authority.pinned.begin(), authority.pinned.end(), same)) return true;
    for (const auto& [issuer, subject] : authority.names) {
        if (equal(issuer, leaf.view().issuer) && equal(subject, leaf.subject())) return true;
    }
    // An EKU is worth something only from the delegating CA itself (RFC 9810 4.5).
    const bool direct = chain.path.size() == 2;
    for (const Bytes& wanted : authority.ekus) {
        for (const ByteView given : leaf.extended_key_usage()) {
            if (direct && equal(wanted, given)) return true;
        }
    }
    return false;
}

/// The certificate's subject; or nobody, where the senderKID tells who it is (RFC 9810 5.1.1).
bool is_sender(const cmp::PKIHeader& header, const crypto::Certificate& leaf) {
    asn1::DerReader reader{header.sender};
    const auto name = reader.read(asn1::context(4), "sender");
    if (!name) return false;
    constexpr std::uint8_t kNullDn[] = {0x30, 0x00};
    if (equal(*name, kNullDn)) return header.sender_kid.has_value() && leaf.subject_key_id();
    return policy::same_name(*name, leaf.subject());
}

}  // namespace

std::optional<Quirk> quirk_for(std::string_view rule) noexcept {
    if (rule == "answer-pvno") return Quirk::pvno_1_error;
    if (rule == "responder-key-usage") return Quirk::no_digital_signature;
    if (rule == "responder-sender") return Quirk::sender_mismatch;
    if (rule == "responder-sender-kid") return Quirk::sender_kid_mismatch;
    return std::nullopt;
}

Outcome<Responder> verify_responder(const cmp::PKIMessage& answer,
                                    const ResponderAuthority& authority,
                                    const crypto::CertificatePtr& kept,
                                    crypto::ChainVerifier& chains, const Quirks& allowed) {
    Quirks used;
    const auto lets_pass = [&allowed, &used](Quirk quirk) {
        if (!allowed.has(quirk)) return false;
        used.add(quirk);
        return true;
    };
    switch (crypto::protection_kind(answer)) {
        case crypto::ProtectionKind::none:
            return fault("responder-protection", "answer is not protected");
        case crypto::ProtectionKind::mac:
            return fault("responder-protection",
                         "answer is protected by a MAC, which this gateway cannot verify");
        case crypto::ProtectionKind::signature:
            break;
    }
    if (authority.trust == nullptr)
        return fault("responder-trust", "no trust is configured for this upstream");
    const bool from_kept = answer.extra_certs.empty() && kept != nullptr;
    auto chain = from_kept ? chains.verify(*authority.trust, kept->der(), {})
                           : chains.verify(*authority.trust, answer.extra_certs);
    if (!chain) return fault("responder-trust", describe(chain.error()));
    const crypto::Certificate& leaf = *chain->leaf;

    if (const auto verified = crypto::verify_signature_protection(answer, leaf.key()); !verified) {
        return fault("responder-signature", describe(verified.error()));
    }
    if (!leaf.may_sign() && !lets_pass(Quirk::no_digital_signature))
        return fault("responder-key-usage", "digitalSignature not set");
    // What names the signer must name the one who signed (RFC 9483 3.1).
    if (!is_sender(answer.header, leaf) && !lets_pass(Quirk::sender_mismatch)) {
        return fault("responder-sender", "sender " + asn1::general_name_text(answer.header.sender) +
                                             " is not the certificate's subject " +
                                             asn1::name_text(leaf.subject()));
    }
    if (answer.header.sender_kid && leaf.subject_key_id() &&
        !equal(*answer.header.sender_kid, *leaf.subject_key_id()) &&
        !lets_pass(Quirk::sender_kid_mismatch)) {
        return fault("responder-sender-kid", "senderKID " + to_hex(*answer.header.sender_kid) +
                                                 " is not the certificate's subjectKeyIdentifier " +
                                                 to_hex(*leaf.subject_key_id()));
    }
    if (!is_authorised(*chain, authority)) {
        return fault("responder-authority",
                     "chain is trusted, but its certificate may not answer for this CA");
    }
    if (kept != nullptr && kept->digest() != leaf.digest()) {
        return fault("responder-changed",
                     "another certificate than that of the first answer (R-021)");
    }
    return Responder{chain->leaf, used};
}

Outcome<void> verify_secret_holder(const cmp::PKIMessage& answer, const Asked& asked) {
    if (!asked.upstream.responder.secret_holder) {
        return fault("responder-authority",
                     "this CA does not share the devices' secrets (responder.shared_secret)");
    }
    // the same kind of protection as the request's.
    if (crypto::protection_kind(answer) != crypto::ProtectionKind::mac) {
        return fault("responder-protection",
                     "answer to a MAC is not protected by the MAC of the same secret");
    }
    if (asked.answer_key == nullptr)
        return fault("responder-protection", "MAC parameters outside the limits");
    if (const auto verified = crypto::verify_mac_protection(answer, *asked.answer_key); !verified)
        return fault("responder-mac", describe(verified.error()));
    return boost::system::in_place_value;
}

}  // namespace ra::gateway
