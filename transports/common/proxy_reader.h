#pragma once

#include <boost/asio/awaitable.hpp>

#include "transports/common/plain_stream.h"

namespace transports::common {

/// Reads a PROXY header and not an octet more, and makes it the stream's facts. False: there is
/// none, it is malformed, or it was not there in time.
[[nodiscard]] boost::asio::awaitable<bool> read_proxy_header(PlainStream& stream,
                                                             ra::BootTime until);

}  // namespace transports::common
