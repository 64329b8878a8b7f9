#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "transports/common/byte_stream.h"
#include "transports/common/tls_context.h"
#include "transports/common/tls_stream.h"
#include "transports/common/worker.h"
#include "transports/http1/counters.h"
#include "transports/http1/name_cache.h"

namespace transports::http1 {

struct DialSettings {
    std::string host;
    std::uint16_t port = 0;
    std::chrono::milliseconds connect_time{5'000};  // for each address, and for the handshake
    common::TlsContextPtr tls;                      // null: cleartext
    std::string tls_name;                // whose certificate is wanted; empty: that of `host`
    std::vector<std::string> protocols;  // ALPN
};

/// Opens connections to one host and port, over TLS if so configured. One an upstream URL and
/// worker; TLS sessions are resumed.
class Dialer {
public:
    /// `worker` and `counters` outlive it.
    Dialer(common::Worker& worker, DialSettings settings, HttpClientCounters& counters);

    struct Dialed {
        std::unique_ptr<common::ByteStream> stream;  // null: `why` it could not be had
        std::string_view why = "connect";            // of NotSent
        std::string detail;
    };
    boost::asio::awaitable<Dialed> dial(ra::BootTime until);

    [[nodiscard]] bool secure() const noexcept { return settings_.tls != nullptr; }
    /// For connections from now on; sessions under the old context are forgotten.
    void set_tls(common::TlsContextPtr tls);
    [[nodiscard]] const common::TlsContextPtr& tls() const noexcept { return settings_.tls; }

private:
    boost::asio::awaitable<Dialed> secured(std::unique_ptr<common::PlainStream> plain,
                                           ra::BootTime until);

    common::Worker& worker_;
    DialSettings settings_;
    HttpClientCounters& counters_;
    NameCache names_;
    std::shared_ptr<common::TlsSessions> sessions_;
};

}  // namespace transports::http1
