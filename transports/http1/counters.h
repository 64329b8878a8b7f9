#pragma once

#include <array>

#include "ra/exchange.h"
#include "transports/common/count.h"
#include "transports/common/tls_counters.h"

namespace transports::http1 {

using common::Count;

/// Of one HTTP server on one worker.
struct HttpServerCounters {
    Count requests;                 // whole requests handed to the Exchange
    std::array<Count, 6> statuses;  // answers by status class: [2] is 2xx
    Count timeouts;                 // requests not received in time
    Count dropped_replies;          // the client was gone when its answer was ready
    Count idle_closed;              // connections closed for idleness
    Count reused;                   // requests on a connection that had served one before

    void status(unsigned code) noexcept { statuses[code / 100 % 6].add(); }
};

/// Of one HTTP client on one worker.
struct HttpClientCounters {
    Count deliveries;
    Count connects;        // connections opened
    Count connect_errors;  // attempts that failed
    Count reused;          // deliveries on a pooled connection
    Count stale;           // pooled connections found dead
    Count retried;         // deliveries sent again on a fresh connection
    Count delivered;
    Count not_sent;
    Count unknown;
    Count rejected;  // RejectedByTransport
    Count open;      // gauge: connections
    Count waiting;   // gauge: deliveries waiting for a connection
    common::TlsCounters tls;

    void ended(const ra::Sent& sent) noexcept {
        if (std::holds_alternative<ra::Delivered>(sent)) delivered.add();
        if (std::holds_alternative<ra::NotSent>(sent)) not_sent.add();
        if (std::holds_alternative<ra::Unknown>(sent)) unknown.add();
        if (std::holds_alternative<ra::RejectedByTransport>(sent)) rejected.add();
    }
};

}  // namespace transports::http1
