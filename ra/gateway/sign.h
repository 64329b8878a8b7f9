#pragma once

#include "ra/crypto/envelope.h"
#include "ra/gateway/outcome.h"
#include "ra/gateway/ports.h"

namespace ra::gateway {

/// A PKIMessage under the credential's signature: made at once where its key is quick, else on the
/// CPU pool (design: Concurrency). `message` borrows until this returns, so await it where it is
/// called. Failures: Busy where the pool's queue is full, UpstreamFault "signature" where the key
/// fails.
[[nodiscard]] asio::awaitable<Outcome<Bytes>> sign(CpuPool& cpu,
                                                   const crypto::Credential& credential,
                                                   crypto::Unprotected message);

}  // namespace ra::gateway
