#pragma once

#include <string>
#include <vector>

#include "ra/crypto/signer.h"
#include "ra/crypto/trust.h"

namespace test {

/// Keys and certificates made once a process (P-256), valid for ten years around `Pki::kNow`.
class Pki {
public:
    static constexpr ra::WallTime kNow{std::chrono::seconds{1'790'000'000}};

    /// A device with its manufacturer's certificate and a key it wants certified.
    struct Device {
        ra::crypto::CredentialPtr credential;
        ra::crypto::PrivateKeyPtr new_key;
        ra::Bytes request;  // body TLV of its ir, certReqId 0, POP by new_key
        ra::Bytes issued;   // Certificate TLV the CA answers with
    };

    [[nodiscard]] static const Pki& get();

    ra::crypto::PrivateKeyPtr root_key;
    ra::crypto::CertificatePtr root;
    ra::crypto::TrustStorePtr trust;      // root
    ra::crypto::CredentialPtr responder;  // answers for the CA: EKU cmcCA, issued by root
    ra::crypto::CredentialPtr gateway;    // the RA's own
    ra::crypto::CredentialPtr stranger;   // under a root nobody trusts, subject of devices[0]
    std::vector<Device> devices;

private:
    Pki();
};

/// A certificate for `subject` and `spki`, signed by `issuer_key`. `eku`: OID contents.
[[nodiscard]] ra::Bytes issue(std::string_view subject, ra::ByteView spki, std::string_view issuer,
                              const ra::crypto::PrivateKey& issuer_key, bool ca = false,
                              const std::vector<ra::ByteView>& eku = {});

}  // namespace test
