#pragma once

#include <string>

#include "ra/app/config/config.h"
#include "ra/exchange.h"
#include "ra/gateway/settings.h"

namespace ra::app {

/// What the doctor found out about one thing.
struct Finding {
    enum class Kind : std::uint8_t { good, warning, bad } kind{};
    std::string what;    // "upstream corporate http://…"
    std::string found;   // what is so
    std::string advice;  // what to do; empty: nothing
};

/// Sends a genm for the CA's certificates, and judges what comes back as the gateway would.
/// `directory`: where relative paths of the configuration begin.
[[nodiscard]] Finding try_upstream(const config::UpstreamConfig& upstream, const config::Url& url,
                                   const gateway::Settings& settings, const std::string& directory);

/// What one attempt to deliver the request means.
[[nodiscard]] Finding judge_sent(const Sent& sent, ByteView transaction_id, const config::Url& url,
                                 const gateway::UpstreamSettings& upstream);

}  // namespace ra::app
