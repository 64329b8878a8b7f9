#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "ra/base/secret.h"
#include "ra/cmp/limits.h"
#include "ra/crypto/certificate.h"
#include "ra/crypto/mac.h"

namespace ra::labca {

/// What a lab CA is made of. It issues whatever a client it can authenticate asks for: nothing for
/// production, which is why `serve` wants allow_lab_ca.
struct Settings {
    std::string name = "CN=Lab CA";           // of the CA, as crypto::name_of() reads it
    std::string responder = "CN=Lab CMP CA";  // of its CMP signer
    std::string key_kind = "ec:P-256";        // of both keys
    std::string ca_certificate, ca_key;       // PEM files; empty: both made at start

    /// Anchors of clients that sign, besides the CA's own certificate.
    std::vector<crypto::CertificatePtr> trust;
    /// Anchors of RAs: who chains to one may set raVerified, wrap others' messages in nested and
    /// revoke others' certificates (S-11). Empty: nobody may.
    std::vector<crypto::CertificatePtr> ra_trust;
    /// Secrets of clients that use a MAC, by reference (senderKID).
    std::map<std::string, Secret, std::less<>> secrets;
    crypto::MacLimits mac;

    bool grant_implicit_confirm = true;  // where asked for
    bool send_ca_pubs = false;           // the CA's certificate in ip
    unsigned poll_count = 0;             // pollReq answered by pollRep before the certificate
    std::chrono::seconds check_after{1};

    std::chrono::seconds validity{365 * 86'400};  // of what it issues, at most
    std::chrono::seconds ca_validity{3650 * 86'400};
    std::chrono::seconds crl_validity{86'400};
    std::chrono::seconds confirm_wait{300};  // from certificate to certConf
    std::size_t open_transactions = 10'000;
    std::size_t certificates = 1'000'000;  // it will have issued; then systemUnavail
    cmp::Limits limits;
};

}  // namespace ra::labca
