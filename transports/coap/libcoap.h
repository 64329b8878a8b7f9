#pragma once

#include <coap3/coap.h>

#include <memory>

#include "transports/coap/context.h"

/// The C library behind this folder (libcoap 4.3), its handles owned. Only for .cpp files here, and
/// only on the one thread that has its contexts: the library has no locks.
namespace transports::coap {

struct ContextFree {
    void operator()(coap_context_t* context) const noexcept { coap_free_context(context); }
};
using ContextHandle = std::unique_ptr<coap_context_t, ContextFree>;

struct PduFree {
    void operator()(coap_pdu_t* pdu) const noexcept { coap_delete_pdu(pdu); }
};
using PduHandle = std::unique_ptr<coap_pdu_t, PduFree>;

/// A session that is not freed while this lives.
struct SessionRelease {
    void operator()(coap_session_t* session) const noexcept { coap_session_release(session); }
};
using SessionRef = std::unique_ptr<coap_session_t, SessionRelease>;
inline SessionRef hold(coap_session_t* session) noexcept {
    return SessionRef{coap_session_reference(session)};
}

/// As the library calls it.
inline coap_proto_t proto_of(Protocol protocol) noexcept {
    switch (protocol) {
        case Protocol::dtls:
            return COAP_PROTO_DTLS;
        case Protocol::tcp:
            return COAP_PROTO_TCP;
        case Protocol::tls:
            return COAP_PROTO_TLS;
        case Protocol::udp:
            break;
    }
    return COAP_PROTO_UDP;
}

}  // namespace transports::coap
