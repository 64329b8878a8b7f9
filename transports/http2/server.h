#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "transports/http1/server.h"

namespace transports::http2 {

/// CMP over HTTP/2 (RFC 9113) on one worker, behind the same listeners as HTTP/1.1. Each request is
/// an exchange in the worker's task group: a stream that is reset drops the reply and not the
/// exchange, which goes on counting against the connection's streams, so that resetting buys
/// nothing.
class Http2Server final : public http1::Http2Door {
public:
    static constexpr std::uint32_t kMaxStreams = 100;

    /// All but `settings` outlive it.
    Http2Server(common::Worker& worker, ra::Exchange& exchange, http1::HttpServerSettings settings,
                http1::HttpServerCounters& counters);

    /// On its worker: for connections from now on.
    void use(http1::HttpServerSettings settings);

    boost::asio::awaitable<void> serve_from(common::ByteStream& stream, ra::Bytes first) override;

private:
    class Connection;
    /// What one connection is served by.
    struct Rules {
        http1::HttpServerSettings settings;
        std::string known_paths;
    };

    common::Worker& worker_;
    ra::Exchange& exchange_;
    std::shared_ptr<const Rules> rules_;
    http1::HttpServerCounters& counters_;
    http1::DateText date_;
};

}  // namespace transports::http2
