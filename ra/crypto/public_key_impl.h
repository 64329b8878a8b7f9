#pragma once

#include "ra/crypto/ossl.h"
#include "ra/crypto/public_key.h"

namespace ra::crypto {

struct PublicKey::Impl {
    EvpKeyPtr key;
    KeyFacts facts;
};

}  // namespace ra::crypto
