#pragma once

#include "transports/common/plain_stream.h"
#include "transports/common/tls_ossl.h"

namespace transports::common {

/// What OpenSSL reads and writes through: a PlainStream, without waiting, with a count.
struct TlsWire {
    PlainStream* transport = nullptr;
    std::size_t received = 0;  // octets so far
    std::size_t limit = 0;     // more are an error; 0: none
    error_code fault;          // why the socket ended it; would_block does not count
};

/// A BIO over `wire`, which outlives it.
[[nodiscard]] BioPtr make_wire_bio(TlsWire& wire);

}  // namespace transports::common
