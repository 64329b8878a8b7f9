#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <memory>

#include "transports/common/plain_stream.h"

namespace transports::common {

/// Opens a TCP connection with TCP_NODELAY; null: refused, unreachable, or not by `until`.
boost::asio::awaitable<std::unique_ptr<PlainStream>> connect_to(Worker& worker,
                                                                boost::asio::ip::tcp::endpoint peer,
                                                                ra::BootTime until);

}  // namespace transports::common
