#include "transports/http1/dialer.h"

#include <algorithm>

#include "transports/common/connector.h"

namespace transports::http1 {

namespace asio = boost::asio;

Dialer::Dialer(common::Worker& worker, DialSettings settings, HttpClientCounters& counters)
    : worker_{worker},
      settings_{std::move(settings)},
      counters_{counters},
      names_{worker, settings_.host, settings_.port},
      sessions_{std::make_shared<common::TlsSessions>()} {
    if (settings_.tls_name.empty()) settings_.tls_name = settings_.host;
}

void Dialer::set_tls(common::TlsContextPtr tls) {
    settings_.tls = std::move(tls);
    // Streams that still open keep the old ones to themselves.
    sessions_ = std::make_shared<common::TlsSessions>();
}

asio::awaitable<Dialer::Dialed> Dialer::dial(ra::BootTime until) {
    Dialed dialed;
    const auto addresses = co_await names_.lookup(until);
    if (addresses.empty()) dialed.why = "name";
    for (const auto& address : addresses) {
        const auto now = ra::BootClock::now();
        if (now >= until) break;
        counters_.connects.add();
        const auto limit = std::min(until, now + settings_.connect_time);
        auto plain = co_await common::connect_to(worker_, address, limit);
        if (plain != nullptr) {
            if (settings_.tls == nullptr) {
                dialed.stream = std::move(plain);
                co_return dialed;
            }
            dialed = co_await secured(std::move(plain), until);
            // A host that is reached and is not the right one is not looked for elsewhere.
            if (dialed.stream == nullptr) counters_.connect_errors.add();
            co_return dialed;
        }
        counters_.connect_errors.add();
    }
    if (ra::BootClock::now() >= until) dialed.why = "deadline";
    co_return dialed;
}

asio::awaitable<Dialer::Dialed> Dialer::secured(std::unique_ptr<common::PlainStream> plain,
                                                ra::BootTime until) {
    auto stream = std::make_unique<common::TlsStream>(
        std::move(plain), settings_.tls, settings_.tls_name, settings_.protocols, sessions_);
    const auto limit = std::min(until, ra::BootClock::now() + settings_.connect_time);
    auto fault = co_await stream->handshake(limit);
    Dialed dialed;
    if (fault) {
        counters_.tls.fault(*stream, *fault);
        dialed.why = "tls";
        dialed.detail = std::move(fault->detail);
        stream->close();
    } else {
        counters_.tls.succeeded(*stream);
        dialed.stream = std::move(stream);
    }
    co_return dialed;
}

}  // namespace transports::http1
