#pragma once

#include <memory>

#include "ra/app/config/load.h"

namespace ra::app {

/// The lab CA of an upstream "labca:", if there is one.
using LabCaPtr = std::unique_ptr<Exchange>;

/// load_settings(), and for an upstream "labca:" the CA itself, whose answers that upstream then
/// trusts. Null where there are faults.
[[nodiscard]] gateway::SettingsPtr load_with_lab_ca(const config::Config& config,
                                                    config::Faults& faults, LabCaPtr& lab_ca);

}  // namespace ra::app
