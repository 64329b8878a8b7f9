#include "ra/app/config/credential.h"

#include <stdexcept>

#include "ra/app/config/credential_files.h"
#include "ra/app/config/material.h"
#include "ra/base/secret.h"

namespace ra::app::config {
namespace {

/// A passphrase or PIN for as long as it is needed.
class Passphrase {
public:
    Passphrase(const std::optional<Located<Source>>& source, const std::string& directory)
        : text_{source ? Material{source->value, directory}.read() : std::string{}} {}
    Passphrase(const Passphrase&) = delete;
    Passphrase& operator=(const Passphrase&) = delete;
    ~Passphrase() { wipe(text_.data(), text_.size()); }
    [[nodiscard]] std::string_view view() const noexcept { return text_; }

private:
    std::string text_;
};

/// A key file that only its owner can read.
const std::string& private_path(const Material& file, const Source& source) {
    if (file.exposed()) {
        throw std::runtime_error(source.text() +
                                 " may be read by others or changed by its group; chmod 0600 it "
                                 "(S-24)");
    }
    return file.path();
}

crypto::PrivateKeyPtr open_key(const Source& source, const std::string& directory,
                               std::string_view passphrase) {
    if (source.kind == Source::Kind::pkcs11)
        return crypto::PrivateKey::open_token(source.name, passphrase);
    const Material file{source, directory};
    return crypto::PrivateKey::load(private_path(file, source), passphrase);
}

}  // namespace

crypto::CredentialPtr open_credential(const CredentialConfig& config,
                                      const std::string& directory) {
    const Passphrase passphrase{config.passphrase, directory};
    if (config.pkcs12) {
        const Material file{config.pkcs12->value, directory};
        return crypto::Credential::load_pkcs12(
            config.name, private_path(file, config.pkcs12->value), passphrase.view());
    }
    const Material certificate{config.certificate.value, directory};
    auto key = open_key(config.key.value, directory, passphrase.view());
    auto chain = crypto::load_certificates(certificate.path());
    const bool fits =
        !chain.empty() && crypto::same_public_key(chain.front()->view().spki, key->spki());
    if (!fits && config.renew) {
        // A crash while both were being replaced.
        if (auto kept = kept_certificates(certificate.path(), *key); !kept.empty())
            chain = std::move(kept);
    }
    return crypto::Credential::of(config.name, std::move(key), std::move(chain));
}

}  // namespace ra::app::config
