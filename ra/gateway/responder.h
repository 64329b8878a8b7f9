#pragma once

#include "ra/gateway/gateway.h"
#include "ra/gateway/match.h"

namespace ra::gateway {

/// Who protected an answer, and what was let pass of it.
struct Responder {
    crypto::CertificatePtr certificate;
    Quirks quirks;
};

/// Verifies the protection of an answer and that its signer may answer for the CA (S-12). `kept`:
/// the certificate that protected the transaction's first answer, for answers without extraCerts;
/// null: none yet. `allowed`: what this CA may do otherwise.
[[nodiscard]] Outcome<Responder> verify_responder(const cmp::PKIMessage& answer,
                                                  const ResponderAuthority& authority,
                                                  const crypto::CertificatePtr& kept,
                                                  crypto::ChainVerifier& chains,
                                                  const Quirks& allowed = {});

/// The quirk that lets a CA pass which a rule of verify_responder() or match_response() refused;
/// nullopt: none does.
[[nodiscard]] std::optional<Quirk> quirk_for(std::string_view rule) noexcept;

/// Verifies an answer of whoever shares the request's secret: protected by a MAC with
/// asked.answer_key, and the upstream may be so.
[[nodiscard]] Outcome<void> verify_secret_holder(const cmp::PKIMessage& answer, const Asked& asked);

}  // namespace ra::gateway
