#pragma once

#include "ra/crypto/ossl.h"
#include "ra/crypto/signer.h"

namespace ra::crypto {

using LibContextPtr = std::shared_ptr<OSSL_LIB_CTX>;

enum class KeyHome : std::uint8_t { memory, token };

/// A PrivateKey of what libcrypto loaded or made, its signature timed. `context`: what it was
/// loaded in and signs in; null: the default one. Throws std::runtime_error: no signature algorithm
/// for it, or it does not sign.
[[nodiscard]] PrivateKeyPtr own_private_key(EvpKeyPtr key, KeyHome home = KeyHome::memory,
                                            LibContextPtr context = nullptr);

}  // namespace ra::crypto
