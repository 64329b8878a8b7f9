#pragma once

#include <string>
#include <vector>

#include "ra/crypto/signer.h"

namespace ra::app::bench {

/// Who enrols at whom when nobody else's certificates are given: a root, a responder of the CA (EKU
/// cmcCA) and devices, all P-256, valid for a year from now.
struct TestPki {
    crypto::PrivateKeyPtr root_key;
    crypto::CertificatePtr root;
    crypto::CredentialPtr responder;
    std::vector<crypto::CredentialPtr> devices;

    [[nodiscard]] static TestPki make();

    /// The one in `folder`, which is made if it is not there: root.pem is what a gateway trusts;
    /// ca, device-N each .pem and .key. Load and CA started at the same time find the same one.
    /// Throws std::runtime_error.
    [[nodiscard]] static TestPki open(const std::string& folder);
};

/// A certificate for `subject` (Name TLV) and `spki`, signed by the root. Throws
/// std::runtime_error.
[[nodiscard]] Bytes issue(const TestPki& pki, ByteView subject, ByteView spki,
                          const std::vector<ByteView>& eku = {});

}  // namespace ra::app::bench
