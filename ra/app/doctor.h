#pragma once

#include <iosfwd>

#include "ra/app/config/config.h"
#include "ra/gateway/settings.h"

namespace ra::app {

/// Tries what a configuration names, from this machine and now: each URL of each upstream (name,
/// connection, a CMP request, and who answers), each listener's address, the clock, and what
/// ends soon. One line a finding, and what to do. 0: nothing is wrong.
[[nodiscard]] int examine(const config::Config& config, const gateway::Settings& settings,
                          std::ostream& out);

}  // namespace ra::app
