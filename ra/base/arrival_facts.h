#pragma once

#include <cstdint>
#include <string>

#include "ra/base/bytes.h"

/// What a transport says about an arrival and policy may look at: apart from the seam, so that
/// the cores see neither Exchange nor Asio.
namespace ra {

/// What a path label says the sender wants (RFC 9483 6.1, 6.2). Advice for routing: the body
/// decides (spec 03, 1.1). Each transport has its own table label <-> Operation.
enum class Operation : std::uint8_t {
    unspecified,  // the bare path
    ir,
    cr,
    kur,
    p10cr,
    rr,
    get_ca_certs,
    get_root_update,
    get_cert_req_template,
    get_crls,
    nested,
};

/// Which configured listener an octet came through; index into the configuration's list.
enum class ListenerId : std::uint16_t {};

/// What TLS or DTLS said about a connection; shared by all its arrivals. A certificate in here was
/// verified under the listener's own client_ca: it narrows what a peer may do and never replaces
/// the protection of its messages.
struct TlsFacts {
    std::string version;         // "TLSv1.3"
    std::string server_name;     // what the client asked for (SNI); empty: nothing
    Bytes client_certificate;    // DER; empty: none, or told by a proxy
    Bytes client_subject;        // Name TLV; empty: no verified client certificate
    std::uint64_t trust = 0;     // which client_ca, of those this process has loaded
    bool resumed = false;        // the certificate was verified when the session began
    bool told_by_proxy = false;  // all of it is the word of a PROXY header (S-41)
};

}  // namespace ra
