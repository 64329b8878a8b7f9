#pragma once

#include <atomic>
#include <string>

#include "transports/common/workers.h"
#include "transports/http1/server.h"

namespace test {

/// An Exchange served over HTTP on 127.0.0.1 by one worker thread, at /.well-known/cmp, /pkix/ and
/// /. Ends with this object.
class CaServer {
public:
    /// Throws std::runtime_error if the port cannot be had. `ca` outlives it.
    explicit CaServer(ra::Exchange& ca, std::uint16_t port = 0);
    CaServer(const CaServer&) = delete;
    CaServer& operator=(const CaServer&) = delete;
    ~CaServer();

    [[nodiscard]] std::uint16_t port() const noexcept { return listener_.port(); }
    [[nodiscard]] std::string url() const;
    /// Exceptions that reached the worker: none, in a program without faults.
    [[nodiscard]] unsigned faults() const noexcept { return faults_; }

private:
    std::atomic<unsigned> faults_{0};
    transports::common::Workers workers_;
    transports::http1::HttpServerCounters counters_;
    transports::http1::HttpServer server_;
    transports::common::Listener listener_;
};

}  // namespace test
