#pragma once

#include <memory>

#include "ra/app/config/config.h"
#include "transports/http1/client.h"

namespace ra::app {

/// What one URL of an upstream is reached with. Throws std::runtime_error: no URL for this build.
[[nodiscard]] transports::http1::HttpClientSettings client_settings(
    const config::UpstreamConfig& upstream, const config::Url& url, const cmp::Limits& limits,
    transports::common::TlsContextPtr tls = nullptr);

/// `worker` and `counters` outlive it. `tls`: for https.
[[nodiscard]] std::unique_ptr<transports::http1::TlsCourier> make_courier(
    transports::common::Worker& worker, const config::UpstreamConfig& upstream,
    const config::Url& url, const cmp::Limits& limits,
    transports::http1::HttpClientCounters& counters, transports::common::TlsContextPtr tls);

}  // namespace ra::app
