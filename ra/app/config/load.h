#pragma once

#include <map>
#include <memory>
#include <string>

#include "ra/app/config/config.h"
#include "ra/base/secret.h"
#include "ra/gateway/gateway.h"

namespace ra::app::config {

/// The gateway's settings, with the certificates, keys and CRLs that `config` names loaded.
/// Whatever cannot be loaded is added to `faults` at its place, and null is returned. `generation`:
/// of this configuration within the process.
[[nodiscard]] std::shared_ptr<gateway::Settings> load_settings(const Config& config, Faults& faults,
                                                               std::uint64_t generation = 1);

/// The secrets that stand beside the configuration, made at `now`. What is wrong is added to
/// `faults`; the result holds what is not.
[[nodiscard]] std::vector<gateway::NewSecret> load_secrets(const Config& config, WallTime now,
                                                           Faults& faults);
/// The key of the audit trail's MACs; a fault of it is added to `faults`. Empty: there is none.
[[nodiscard]] Secret load_audit_key(const Config& config, Faults& faults);

}  // namespace ra::app::config
