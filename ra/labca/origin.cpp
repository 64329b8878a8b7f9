#include "ra/labca/origin.h"

#include "ra/crypto/protection.h"

namespace ra::labca {

using cmp::PKIFailureInfo;

namespace {

/// The same whether reference, secret or octets were wrong (S-21).
constexpr Refused kBadMac{PKIFailureInfo::badMessageCheck, "protection does not verify"};

Bytes principal_of(const crypto::Certificate& certificate) {
    return to_bytes(certificate.digest());
}
Bytes principal_of(ByteView reference) {
    Bytes made = to_bytes(as_bytes("mac:"));
    append(made, reference);
    return made;
}

}  // namespace

Origin::Origin(const Settings& settings, const crypto::CertificatePtr& ca, const Clock& clock)
    : settings_{settings}, chains_{clock} {
    std::vector<crypto::CertificatePtr> anchors = settings.trust;
    anchors.push_back(ca);
    devices_ = crypto::TrustStore::of(std::move(anchors));
    if (!settings.ra_trust.empty()) ras_ = crypto::TrustStore::of(settings.ra_trust);
}

Checked<Authentic> Origin::verify(const cmp::PKIMessage& message,
                                  const crypto::CertificatePtr& known) {
    switch (crypto::protection_kind(message)) {
        case crypto::ProtectionKind::mac:
            return verify_mac(message);
        case crypto::ProtectionKind::signature:
            return verify_signature(message, known);
        case crypto::ProtectionKind::none:
            break;
    }
    return Refused{PKIFailureInfo::badMessageCheck, "message is not protected"};
}

Checked<Authentic> Origin::verify_mac(const cmp::PKIMessage& message) const {
    const auto parameters =
        crypto::parse_mac_parameters(*message.header.protection_alg, settings_.mac);
    if (!parameters) {
        return Refused{parameters.error().code == Errc::unsupported ? PKIFailureInfo::badAlg
                                                                    : PKIFailureInfo::badRequest,
                       "MAC parameters"};
    }
    // Its answers carry the request's parameters: a nonce must not come twice under a key.
    if (!parameters->nonce.empty()) return Refused{PKIFailureInfo::badAlg, "GMAC"};
    const ByteView reference = message.header.sender_kid.value_or(ByteView{});
    const auto secret = settings_.secrets.find(as_text(reference));
    const bool known = secret != settings_.secrets.end();
    // An unknown reference costs what a known one does.
    auto key = crypto::MacKey::derive(
        *parameters, known ? secret->second.reveal() : as_bytes("no secret at all"));
    if (!key) return Refused{PKIFailureInfo::badAlg, "MAC algorithm"};
    const auto verified = crypto::verify_mac_protection(message, *key);
    if (!verified || !known) return kBadMac;
    Authentic authentic;
    authentic.principal = principal_of(reference);
    authentic.mac.emplace(std::move(*key));
    authentic.reference = to_bytes(reference);
    return authentic;
}

Checked<Authentic> Origin::verify_signature(const cmp::PKIMessage& message,
                                            const crypto::CertificatePtr& known) {
    ByteView certificates = message.extra_certs;
    if (certificates.empty() && known != nullptr) certificates = known->der();
    if (certificates.empty())
        return Refused{PKIFailureInfo::signerNotTrusted, "no certificate in extraCerts"};
    RA_TRY(Requester requester, trusted(certificates));
    const crypto::Certificate& signer = *requester.certificate;
    if (!signer.may_sign())
        return Refused{PKIFailureInfo::badMessageCheck, "keyUsage without digitalSignature"};
    const auto& kid = message.header.sender_kid;
    if (kid && signer.subject_key_id() && !equal(*kid, *signer.subject_key_id()))
        return Refused{PKIFailureInfo::badMessageCheck, "senderKID is another key's"};
    const auto sender = cmp::directory_name(message.header.sender);
    if (!sender || !equal(*sender, signer.subject()))
        return Refused{PKIFailureInfo::badMessageCheck, "sender is not the certificate's subject"};
    if (const auto verified = crypto::verify_signature_protection(message, signer.key());
        !verified) {
        return Refused{verified.error().code == Errc::unsupported ? PKIFailureInfo::badAlg
                                                                  : PKIFailureInfo::badMessageCheck,
                       "protection does not verify"};
    }
    Authentic authentic;
    authentic.principal = principal_of(signer);
    authentic.requester = std::move(requester);
    return authentic;
}

Checked<Requester> Origin::trusted(ByteView extra_certs) {
    const std::lock_guard lock{chains_lock_};
    if (ras_ != nullptr) {
        if (auto chain = chains_.verify(*ras_, extra_certs)) return Requester{chain->leaf, true};
    }
    auto chain = chains_.verify(*devices_, extra_certs);
    if (!chain) return Refused{PKIFailureInfo::signerNotTrusted, "no path to a trust anchor"};
    return Requester{chain->leaf, false};
}

}  // namespace ra::labca
