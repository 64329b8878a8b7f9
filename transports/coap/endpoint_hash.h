#pragma once

#include <cstddef>

#include "ra/base/keyed_hash.h"
#include "transports/coap/message.h"

namespace transports::coap {

/// The place of an endpoint in a table: nobody can choose addresses that share one. It is not
/// noexcept so that a std::unordered_map keeps each hash beside its entry, as it does with what it
/// takes for slow.
struct EndpointHash {
    ra::KeyedHash keyed;
    std::size_t operator()(const Endpoint& endpoint) const { return keyed(endpoint.octets); }
};

}  // namespace transports::coap
