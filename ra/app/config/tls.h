#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ra/app/config/config.h"
#include "transports/common/tls_context.h"

namespace ra::app::config {

/// Loads what `tls` names. Both throw std::runtime_error naming what cannot be used.
[[nodiscard]] transports::common::TlsContextPtr load_listener_tls(
    const ListenerConfig& listener, const std::string& directory,
    std::shared_ptr<transports::common::TlsTicketKeys> tickets);
[[nodiscard]] transports::common::TlsContextPtr load_upstream_tls(const UpstreamConfig& upstream,
                                                                  const std::string& directory);

/// The files behind them: watched for changes. Sources that are no files are not among them.
[[nodiscard]] std::vector<std::string> tls_files(const ListenerTlsConfig& tls,
                                                 const std::string& directory);
[[nodiscard]] std::vector<std::string> tls_files(const UpstreamTlsConfig& tls,
                                                 const std::string& directory);

/// What the configuration says about it, for comparing: equal texts mean the same.
[[nodiscard]] std::string tls_text(const ListenerConfig& listener);
[[nodiscard]] std::string tls_text(const UpstreamConfig& upstream);

/// Everything loaded once, to see whether it can be: what cannot becomes a fault at its place.
void check_tls(const Config& config, Faults& faults);

}  // namespace ra::app::config
