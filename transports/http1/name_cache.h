#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "transports/common/worker.h"

namespace transports::http1 {

/// The addresses of one host, looked up when needed and kept for a while. Old addresses serve on
/// while (and if) a new look-up fails. Not thread-safe.
class NameCache {
public:
    using Endpoint = boost::asio::ip::tcp::endpoint;

    NameCache(common::Worker& worker, std::string host, std::uint16_t port,
              std::chrono::seconds keep = std::chrono::seconds{60});
    NameCache(const NameCache&) = delete;
    NameCache& operator=(const NameCache&) = delete;
    ~NameCache();

    /// Empty: the name does not resolve (remembered for a second), or not by `until`.
    boost::asio::awaitable<std::vector<Endpoint>> lookup(ra::BootTime until);

private:
    struct State;
    std::shared_ptr<State> state_;  // shared with a look-up under way
};

}  // namespace transports::http1
