#pragma once

#include <cstdint>

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

}  // namespace ra
