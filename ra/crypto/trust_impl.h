#pragma once

#include "ra/crypto/ossl.h"
#include "ra/crypto/trust.h"

namespace ra::crypto {

struct TrustStore::Impl {
    std::uint64_t generation = 0;
    std::vector<CertificatePtr> anchors;
    std::vector<X509Ptr> intermediates;
    X509StorePtr store;
    CrlPolicy crl_policy = CrlPolicy::none;
    std::chrono::seconds crl_grace{0};
    WallTime crl_next_update = WallTime::max();  // the earliest of all CRLs
};

}  // namespace ra::crypto
