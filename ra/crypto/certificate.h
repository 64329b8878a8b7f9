#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ra/asn1/certificate.h"
#include "ra/crypto/digest.h"
#include "ra/crypto/public_key.h"

namespace ra::crypto {

/// A certificate we hold on to: octets, the view into them, its key and the extensions that
/// decide. Immutable, shared.
class Certificate {
public:
    /// Errors: of the DER; of the key. Does not check validity or signature.
    [[nodiscard]] static Result<std::shared_ptr<const Certificate>> parse(ByteView der);

    [[nodiscard]] ByteView der() const noexcept { return der_; }
    [[nodiscard]] const asn1::CertificateView& view() const noexcept { return view_; }
    [[nodiscard]] const PublicKey& key() const noexcept { return key_; }
    [[nodiscard]] const Sha256& digest() const noexcept { return digest_; }
    [[nodiscard]] ByteView subject() const noexcept { return view_.subject; }  // Name TLV
    [[nodiscard]] const std::optional<ByteView>& subject_key_id() const noexcept { return ski_; }
    /// keyUsage absent, or digitalSignature set.
    [[nodiscard]] bool may_sign() const noexcept { return may_sign_; }
    [[nodiscard]] bool is_ca() const noexcept { return is_ca_; }
    /// OID contents of extKeyUsage.
    [[nodiscard]] const std::vector<ByteView>& extended_key_usage() const noexcept { return eku_; }

private:
    Certificate(Bytes der, asn1::CertificateView view, PublicKey key);
    Bytes der_;
    asn1::CertificateView view_;
    PublicKey key_;
    Sha256 digest_{};
    std::optional<ByteView> ski_;
    bool may_sign_ = true;
    bool is_ca_ = false;
    std::vector<ByteView> eku_;
};
using CertificatePtr = std::shared_ptr<const Certificate>;

/// Certificates in a PEM or DER file, in order. Throws std::runtime_error naming file and fault.
[[nodiscard]] std::vector<CertificatePtr> load_certificates(const std::string& path);

}  // namespace ra::crypto
