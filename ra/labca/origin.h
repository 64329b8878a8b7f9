#pragma once

#include <mutex>

#include "ra/crypto/trust.h"
#include "ra/labca/settings.h"
#include "ra/labca/transactions.h"

namespace ra::labca {

/// A message whose protection verified.
struct Authentic {
    Principal principal;
    Requester requester;
    std::optional<crypto::MacKey> mac;  // answers are protected by it too
    Bytes reference;                    // of the secret
};

/// Verifies who sent a message (R-007..R-013). Any thread: the one cache is locked.
class Origin {
public:
    /// Borrows `settings`.
    Origin(const Settings& settings, const crypto::CertificatePtr& ca, const Clock& clock);

    /// `known`: the certificate of the open transaction, for a message without extraCerts.
    [[nodiscard]] Checked<Authentic> verify(const cmp::PKIMessage& message,
                                            const crypto::CertificatePtr& known);

private:
    [[nodiscard]] Checked<Authentic> verify_mac(const cmp::PKIMessage& message) const;
    [[nodiscard]] Checked<Authentic> verify_signature(const cmp::PKIMessage& message,
                                                      const crypto::CertificatePtr& known);
    /// The protection certificate on a path to an anchor, and whether it is an RA's.
    [[nodiscard]] Checked<Requester> trusted(ByteView extra_certs);

    const Settings& settings_;
    crypto::TrustStorePtr devices_;
    crypto::TrustStorePtr ras_;  // null: none
    std::mutex chains_lock_;
    crypto::ChainVerifier chains_;
};

}  // namespace ra::labca
