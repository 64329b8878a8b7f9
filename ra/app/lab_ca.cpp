#include "ra/app/lab_ca.h"

namespace ra::app {

gateway::SettingsPtr load_with_lab_ca(const config::Config& config, config::Faults& faults,
                                      LabCaPtr& lab_ca) {
    (void)lab_ca;
    return config::load_settings(config, faults);
}

}  // namespace ra::app
