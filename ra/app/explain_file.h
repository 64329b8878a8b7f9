#pragma once

#include <iosfwd>
#include <string>

#include "ra/app/config/config.h"
#include "ra/gateway/gateway.h"

namespace ra::app {

/// Where a message is taken to have come in.
struct ExplainAs {
    std::string label;     // of the path; empty: the bare one
    std::string listener;  // name; empty: the first
};

/// Says what each stage and each rule makes of the message in a file (DER, PEM or base64), as serve
/// would now. 0: permitted; 1: refused, or unreadable.
[[nodiscard]] int explain_file(const std::string& path, const ExplainAs& as,
                               const config::Config& config, const gateway::Settings& settings,
                               std::ostream& out);

}  // namespace ra::app
