#include "tests/bench/gateway_parts.h"

#include <stdexcept>

#include "ra/app/config/load.h"

namespace bench {

using namespace ra;

gateway::SettingsPtr settings_of(const std::string& text) {
    app::config::Faults faults{"bench"};
    const auto config = app::config::parse_config(
        "version = 1\n[[listener]]\nurl = \"http://127.0.0.1:0\"\n" + text, "bench", faults);
    auto settings = app::config::load_settings(config, faults);
    if (settings == nullptr) throw std::runtime_error(faults.text());
    return settings;
}

void NoAudit::record(const gateway::Ended& ended) {
    if (ended.decision != "forwarded") wrong = std::string(ended.rule) + " " + ended.detail;
}

}  // namespace bench
