#pragma once

#include <string>

#include "ra/app/config/config.h"
#include "ra/crypto/signer.h"

namespace ra::app::config {

/// Where a renewed credential goes: beside the files its [[credential]] names, and then in their
/// place. Every step outlives a crash, and no crash leaves less than one whole credential:
///
///     keep()     KEY.new, CERTIFICATE.new      before the CA is told that it is taken
///     install()  KEY.old, CERTIFICATE.old      what is replaced
///                KEY.new -> KEY, then CERTIFICATE.new -> CERTIFICATE
///
/// Between the last two the key is the new one already: open_credential() then takes
/// CERTIFICATE.new. With the old key kept, there is only the certificate's half of it. Links are
/// followed: what they point to is replaced. Blocking; throws std::runtime_error naming the file.
class CredentialFiles {
public:
    /// `directory`: where relative paths begin.
    CredentialFiles(const CredentialConfig& credential, const std::string& directory);

    /// The key 0600 and encrypted as the old one is (`passphrase`), the certificate with the mode
    /// of the old one; both with its owner, where that is permitted.
    void keep(const crypto::Credential& made) const;
    void install() const;
    /// What a crash left between the two steps of install(); what was kept and never installed
    /// stays until the next keep(). True: something was left.
    bool finish() const;
    /// Takes back keep(): nobody uses it.
    void discard() const noexcept;

    [[nodiscard]] const std::string& certificate() const noexcept { return certificate_; }

private:
    void write_new(const crypto::Credential& made) const;

    const CredentialConfig credential_;
    const std::string directory_;
    bool with_key_;
    std::string certificate_;
    std::string key_;  // empty: it stays
};

/// CERTIFICATE.new, where `key` is its key: for open_credential(). Empty: it is not.
[[nodiscard]] std::vector<crypto::CertificatePtr> kept_certificates(const std::string& certificate,
                                                                    const crypto::PrivateKey& key);

/// What was replaced last, while its certificate lasts: for the transactions that began with it
/// (S-06). Null: nothing.
[[nodiscard]] crypto::CredentialPtr open_superseded(const CredentialConfig& credential,
                                                    const std::string& directory);

/// Where the certificate stands that was replaced last, ended or not; empty: none was.
[[nodiscard]] std::string replaced_certificate(const CredentialConfig& credential,
                                               const std::string& directory);

/// Why the files of a credential could not be replaced by this user; empty: they could.
[[nodiscard]] std::string renewal_fault(const CredentialConfig& credential,
                                        const std::string& directory);

}  // namespace ra::app::config
