#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "ra/app/config/config.h"

namespace ra::app {

struct AdminReply {
    unsigned status = 0;
    std::string body;
};

/// Asks the gateway that runs by this configuration; a Unix socket is preferred, because it says
/// who asks. Throws std::runtime_error: there is no [admin], nobody listens, no answer in time.
[[nodiscard]] AdminReply ask_gateway(const config::AdminConfig& config, std::string_view method,
                                     std::string_view path, std::string_view body = {},
                                     std::chrono::seconds patience = std::chrono::seconds{30});

/// What the gateway said, without the final line break. Throws std::runtime_error: why it did not
/// do what it was asked.
[[nodiscard]] std::string told_by(const AdminReply& reply);

}  // namespace ra::app
