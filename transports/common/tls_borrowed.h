#pragma once

#include <memory>

#include "ra/base/arrival_facts.h"
#include "ra/base/secret.h"
#include "transports/common/tls_context.h"

/// Our TLS for a library that makes its own connections (libcoap, which runs DTLS on OpenSSL): the
/// SSL* are its, what they show and whom they trust is ours.
namespace transports::common {

/// On the server, while the library looks at a ClientHello: from now on `ssl` (an SSL*) has the
/// certificate of `context` for the host name asked for, its trust, CRLs and rule about client
/// certificates, and the suites of RFC 9325 and RFC 7252 9.1. No renegotiation, no resumption: each
/// handshake looks at the client's certificate. False: the handshake must fail.
[[nodiscard]] bool lend_tls(void* ssl, const TlsContextPtr& context) noexcept;

/// What a finished handshake on `ssl` says; a certificate is in it only if it was found good.
[[nodiscard]] std::shared_ptr<const ra::TlsFacts> facts_of(void* ssl);

/// The first identity of a context, for a library that will not begin without one of its own.
struct PemIdentity {
    std::string certificate;
    ra::Secret key;
};
[[nodiscard]] PemIdentity first_identity(const TlsContext& context);

}  // namespace transports::common
