#pragma once

#include "ra/gateway/gateway.h"
#include "ra/gateway/outcome.h"

namespace ra::gateway {

/// Verifies the protection of an answer and that its signer may answer for the CA (S-12). `kept`:
/// the certificate that protected the transaction's first answer, for answers without extraCerts;
/// null: none yet. Returns the responder's certificate.
[[nodiscard]] Outcome<crypto::CertificatePtr> verify_responder(const cmp::PKIMessage& answer,
                                                               const ResponderAuthority& authority,
                                                               const crypto::CertificatePtr& kept,
                                                               crypto::ChainVerifier& chains);

}  // namespace ra::gateway
