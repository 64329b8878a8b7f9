#include "ra/crypto/signer.h"

#include "ra/cmp/build.h"

namespace ra::crypto {
Bytes Credential::sender() const { return cmp::general_name(certificate->subject()); }

ByteView Credential::sender_kid() const noexcept {
    return certificate->subject_key_id().value_or(ByteView{});
}

Bytes Credential::extra_certs() const {
    Bytes content;
    for (const CertificatePtr& one : chain) append(content, one->der());
    return content;
}

CredentialPtr Credential::load(std::string name, const std::string& certificate,
                               const std::string& key) {
    return of(std::move(name), PrivateKey::load(key), load_certificates(certificate));
}

Result<Bytes> protect(const Credential& credential, ByteView header, ByteView body) {
    const Bytes part = cmp::build_protected_part(header, body);
    RA_TRY(const Bytes signature, credential.key->sign(part));
    return cmp::build_pki_message(header, body, signature, credential.extra_certs());
}

}  // namespace ra::crypto
