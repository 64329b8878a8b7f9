#include "ra/gateway/responder.h"

#include <algorithm>

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

}  // namespace

Outcome<crypto::CertificatePtr> verify_responder(const cmp::PKIMessage& answer,
                                                 const ResponderAuthority& authority,
                                                 const crypto::CertificatePtr& kept,
                                                 crypto::ChainVerifier& chains) {
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
    if (!leaf.may_sign()) return fault("responder-key-usage", "digitalSignature not set");
    if (answer.header.sender_kid && leaf.subject_key_id() &&
        !equal(*answer.header.sender_kid, *leaf.subject_key_id())) {
        return fault("responder-sender-kid",
                     "senderKID is not the certificate's subjectKeyIdentifier");
    }
    if (!is_authorised(*chain, authority)) {
        return fault("responder-authority",
                     "chain is trusted, but its certificate may not answer for this CA");
    }
    if (kept != nullptr && kept->digest() != leaf.digest()) {
        return fault("responder-changed",
                     "another certificate than that of the first answer (R-021)");
    }
    return chain->leaf;
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
