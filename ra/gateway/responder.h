#pragma once

#include "ra/gateway/gateway.h"
#include "ra/gateway/match.h"

namespace ra::gateway {

/// Verifies the protection of an answer and that its signer may answer for the CA (S-12). `kept`:
/// the certificate that protected the transaction's first answer, for answers without extraCerts;
/// null: none yet. Returns the responder's certificate.
[[nodiscard]] Outcome<crypto::CertificatePtr> verify_responder(const cmp::PKIMessage& answer,
                                                               const ResponderAuthority& authority,
                                                               const crypto::CertificatePtr& kept,
                                                               crypto::ChainVerifier& chains);

/// Verifies an answer of whoever shares the request's secret: protected by a MAC with
/// asked.answer_key, and the upstream may be so.
[[nodiscard]] Outcome<void> verify_secret_holder(const cmp::PKIMessage& answer, const Asked& asked);

}  // namespace ra::gateway
