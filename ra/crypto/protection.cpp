#include "ra/crypto/protection.h"

#include "ra/asn1/der_writer.h"
#include "ra/cmp/oids.h"

namespace ra::crypto {

ProtectionKind protection_kind(const cmp::PKIMessage& message) noexcept {
    if (!message.protection || !message.header.protection_alg) return ProtectionKind::none;
    const ByteView algorithm = message.header.protection_alg->algorithm;
    for (const asn1::Oid& mac : {cmp::oid::kPasswordBasedMac, cmp::oid::kPbmac1,
                                 cmp::oid::kDhBasedMac, cmp::oid::kKemBasedMac}) {
        if (mac == algorithm) return ProtectionKind::mac;
    }
    return ProtectionKind::signature;
}

Result<void> verify_signature_protection(const cmp::PKIMessage& message, const PublicKey& key) {
    if (!message.protection) return fail(Errc::missing, "protection");
    const ByteView content = message.protected_content();
    Bytes prefix;
    asn1::append_header(prefix, asn1::Tag::sequence, content.size());
    return key.verify(*message.header.protection_alg, *message.protection, prefix, content);
}

Result<void> verify_popo(const cmp::CertReqMsg& request) {
    if (!request.popo_signature || !request.cert_template.public_key)
        return fail(Errc::missing, "popo");
    const cmp::POPOSigningKey& popo = *request.popo_signature;
    RA_TRY(const PublicKey key, PublicKey::from_spki(request.cert_template.public_key->whole));
    const bool whole_template = request.cert_template.subject.has_value();
    if (popo.poposk_input.has_value() == whole_template)
        return fail(Errc::bad_value, "poposkInput");
    if (whole_template) return key.verify(popo.algorithm, popo.signature, request.cert_req);

    if (!popo.input_key ||
        !same_public_key(popo.input_key->whole, request.cert_template.public_key->whole)) {
        return fail(Errc::bad_value, "poposkInput");
    }
    // Hashed as a universal SEQUENCE, not with its tag on the wire (RFC 4211 4.1).
    Bytes prefix;
    asn1::append_header(prefix, asn1::Tag::sequence, popo.poposk_input->size());
    return key.verify(popo.algorithm, popo.signature, prefix, *popo.poposk_input);
}

Result<void> verify_self_signature(const cmp::CertificationRequest& request) {
    RA_TRY(const PublicKey key, PublicKey::from_spki(request.public_key.whole));
    return key.verify(request.algorithm, request.signature, request.info);
}

}  // namespace ra::crypto
