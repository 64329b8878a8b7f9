#pragma once

#include <memory>

#include "ra/app/config/config.h"
#include "ra/base/time.h"
#include "transports/http1/client.h"

namespace ra::app {

/// Throws std::runtime_error: one of its URLs is none that a client could be made for.
void check_urls(const config::UpstreamConfig& upstream);

/// What one URL of an upstream is reached with. `worker`, `clock` and `counters` outlive it. `tls`:
/// for https and tcps.
[[nodiscard]] std::unique_ptr<transports::http1::TlsCourier> make_courier(
    transports::common::Worker& worker, const Clock& clock, const config::UpstreamConfig& upstream,
    const config::Url& url, const cmp::Limits& limits,
    transports::http1::HttpClientCounters& counters, transports::common::TlsContextPtr tls);

}  // namespace ra::app
