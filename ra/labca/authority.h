#pragma once

#include <mutex>

#include "ra/base/random.h"
#include "ra/crypto/signer.h"
#include "ra/labca/refused.h"
#include "ra/labca/request.h"
#include "ra/labca/settings.h"

namespace ra::labca {

/// The CA's key and certificate, and what they sign. Immutable but for the random source, which it
/// locks; any thread.
class Authority {
public:
    /// Makes or loads keys and certificates. Throws std::runtime_error naming a file and its fault.
    Authority(const Settings& settings, const Clock& clock, Random& random);

    [[nodiscard]] const crypto::CertificatePtr& certificate() const noexcept { return ca_; }
    [[nodiscard]] const crypto::CredentialPtr& responder() const noexcept { return responder_; }
    [[nodiscard]] Bytes random_octets(std::size_t count);

    struct Granted {
        Bytes certificate;
        Bytes serial;  // INTEGER content, 16 octets
        bool with_mods = false;
    };
    /// Validity clamped to what the CA may give; key identifiers, keyUsage and CA:FALSE added.
    /// Refuses a validity that has no part in the CA's.
    [[nodiscard]] Checked<Granted> issue(const Wanted& wanted);

    /// A signed CRL of these, valid from now.
    [[nodiscard]] Result<Bytes> crl(const std::vector<crypto::RevokedEntry>& revoked,
                                    std::uint64_t number) const;

private:
    [[nodiscard]] Bytes serial();
    void make_ca(const Settings& settings);
    void make_responder(const Settings& settings);

    const Clock& clock_;
    std::mutex random_lock_;
    Random& random_;
    const std::chrono::seconds validity_, crl_validity_;
    crypto::PrivateKeyPtr key_;
    crypto::CertificatePtr ca_;
    crypto::CredentialPtr responder_;
};

}  // namespace ra::labca
