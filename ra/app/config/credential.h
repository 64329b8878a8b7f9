#pragma once

#include <string>

#include "ra/app/config/config.h"
#include "ra/crypto/signer.h"

namespace ra::app::config {

/// Opens what a [[credential]] names: a key file or token with its certificate, or a PKCS #12 file.
/// `directory`: where relative paths begin. Throws std::runtime_error with what is wrong, also
/// where others may read a key (S-24).
[[nodiscard]] crypto::CredentialPtr open_credential(const CredentialConfig& config,
                                                    const std::string& directory);

}  // namespace ra::app::config
