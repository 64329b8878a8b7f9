#pragma once

#include <memory>
#include <string>
#include <vector>

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

/// SSL_CTX*s of a library.
using Borrowers = std::vector<void*>;
/// Those that a library makes on this thread while this lives: it gives nobody its own.
class BorrowerWatch {
public:
    BorrowerWatch();
    BorrowerWatch(const BorrowerWatch&) = delete;
    BorrowerWatch& operator=(const BorrowerWatch&) = delete;
    ~BorrowerWatch();
    [[nodiscard]] Borrowers found() const { return found_; }

private:
    Borrowers found_;
    Borrowers* before_;
};

/// Server connections of these from now on resume nothing, renegotiate nothing, and have the suites
/// of RFC 9325 and RFC 7252 9.1: for those that have no certificate, which lend_tls() does not see.
/// False: none may be made.
[[nodiscard]] bool guard_server_tls(const Borrowers& borrowers) noexcept;

/// Client connections made from these from now on take a certificate for `host` under the trust and
/// CRLs of `context`, show its certificate, and have the suites of RFC 9325 and RFC 7252 9.1.
/// False: none may be made.
[[nodiscard]] bool lend_client_tls(const Borrowers& borrowers, const TlsContextPtr& context,
                                   const std::string& host) noexcept;
/// And this SSL* lets a CRL be as old as `context` says, if that comes before the server's answer.
[[nodiscard]] bool lend_verdict(void* ssl, const TlsContextPtr& context) noexcept;

/// Whether the handshake of a client on `ssl` is over and the peer is whom lend_client_tls() wants.
[[nodiscard]] bool is_expected_peer(void* ssl) noexcept;
/// Why not, where it was the peer's certificate.
[[nodiscard]] bool refused_certificate(void* ssl) noexcept;

/// What a finished handshake on `ssl` says; a certificate is in it only if it was found good.
[[nodiscard]] std::shared_ptr<const ra::TlsFacts> facts_of(void* ssl);

/// The first identity of a context, for a library that will not begin without one of its own.
struct PemIdentity {
    std::string certificate;
    ra::Secret key;
};
[[nodiscard]] PemIdentity first_identity(const TlsContext& context);

}  // namespace transports::common
