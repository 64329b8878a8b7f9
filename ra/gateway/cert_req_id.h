#pragma once

#include "ra/cmp/message.h"

namespace ra::gateway {

/// The body TLV of a certConf, pollReq, cp or pollRep with every certReqId set to `id`; other
/// bodies as they are. For a p10cr that goes up as cr: the device knows its certificate by
/// -1, the CA by 0. Only ids of one octet change; others are none of those.
[[nodiscard]] Bytes with_cert_req_id(const cmp::PKIMessage& message, std::int8_t id);

}  // namespace ra::gateway
