#pragma once

#include "ra/base/bytes.h"
#include "ra/crypto/digest.h"

namespace ra::gateway {

/// Where the announcements of CAs go that were admitted. Shared by all workers; never blocks.
struct Announcer {
    virtual ~Announcer() = default;
    /// One DER PKIMessage and the digest of its ProtectedPart. False: it had been announced before.
    virtual bool announce(ByteView message, const crypto::Sha256& digest) = 0;
};

}  // namespace ra::gateway
