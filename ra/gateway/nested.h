#pragma once

#include "policy/approval.h"
#include "ra/gateway/gateway.h"
#include "ra/gateway/outcome.h"

namespace ra::gateway {

/// The message in a nested single, with octets of its own. Faults are of the nested message
///
[[nodiscard]] Outcome<cmp::ParsedMessage> open_nested(const cmp::PKIMessage& outer,
                                                      const cmp::Limits& limits);

/// Verifies the signature around it against the profile's `[profile.ra]` trust (S-11).
[[nodiscard]] Outcome<policy::Approval> verify_approval(const cmp::PKIMessage& outer,
                                                        const policy::Profile& profile,
                                                        WallTime now,
                                                        crypto::ChainVerifier& chains);

}  // namespace ra::gateway
