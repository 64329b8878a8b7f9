#pragma once

#include <memory>

#include "ra/app/config/load.h"
#include "ra/base/random.h"
#include "ra/labca/lab_ca.h"

namespace ra::app {

/// A lab CA with the clock and the random source it stands on.
struct LabCaHost {
    explicit LabCaHost(labca::Settings settings) : ca{std::move(settings), clock, random} {}

    SystemClock clock;
    SystemRandom random;
    labca::LabCa ca;
};

/// load_settings(), and for an upstream "labca:" the CA itself: it serves the devices the profiles
/// trust, and that upstream trusts its answers. `lab_ca` stays null if no upstream asks for one,
/// and what it is if it is there already. Null where there are faults.
[[nodiscard]] gateway::SettingsPtr load_with_lab_ca(const config::Config& config,
                                                    config::Faults& faults,
                                                    std::unique_ptr<LabCaHost>& lab_ca,
                                                    std::uint64_t generation = 1);

}  // namespace ra::app
