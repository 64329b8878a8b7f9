#pragma once

#include <iosfwd>
#include <vector>

#include "ra/gateway/gateway.h"
#include "ra/gateway/secrets.h"

namespace ra::app {

/// Says, a line each, what each stage and each rule makes of a message, as serve would at this
/// moment without having seen any other; `secrets`: who may use a MAC. 0: permitted; 1: refused, or
/// it does not parse.
[[nodiscard]] int explain_message(Bytes der, const policy::ArrivalFacts& arrival,
                                  const gateway::Settings& settings,
                                  const std::vector<gateway::NewSecret>& secrets,
                                  const Clock& clock, std::ostream& out);

}  // namespace ra::app
