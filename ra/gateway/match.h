#pragma once

#include "ra/gateway/gateway.h"
#include "ra/gateway/outcome.h"

namespace ra::gateway {

/// What an answer is compared with; views borrowed for the call.
struct Asked {
    cmp::BodyType type{};  // of the message just sent
    const Record& record;  // the transaction, as claimed
    ByteView transaction_id;
    ByteView sender_nonce;  // of the message just sent
    const policy::Profile& profile;
    const UpstreamSettings& upstream;
    ByteView sender_subject;  // Name TLV of who asked; empty: not known
    /// The request went as it came under a MAC that verified here: the secret's holder answers
    /// (ResponderAuthority::secret_holder). `answer_key`: derive_answer_key(); null: none.
    bool under_secret = false;
    const crypto::MacKey* answer_key = nullptr;
};

/// An answer that belongs to the request and may be believed (S-12, S-13); opaque: that belongs to
/// it.
struct MatchedResponse {
    cmp::ParsedMessage parsed;
    State next{};                      // of the transaction
    crypto::CertificatePtr responder;  // null: opaque, or the secret's holder
    bool refused = false;              // the CA's definite no (S-23)
    ByteView issued;                   // the Certificate TLV it delivers; empty: none we can see
    bool revoked = false;              // what was asked to be revoked is
    Quirks quirks;                     // of this CA, that it was let pass with
    bool doubtful = false;             // says that nothing was issued, but nobody vouches for it
};

/// Parses the answer as strictly as a request and checks that it is one: transactionID, recipNonce,
/// body type, protection by an authorised responder, certReqId, status consistent, the certificate
/// for the key and within what was asked, caPubs only those listed, implicitConfirm only if asked.
/// A fault names the field; `possibly_issued` where a certificate was asked for.
[[nodiscard]] Outcome<MatchedResponse> match_response(Bytes octets, const Asked& asked,
                                                      const Settings& settings,
                                                      crypto::ChainVerifier& chains);

}  // namespace ra::gateway
