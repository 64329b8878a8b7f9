#include "ra/app/explain_file.h"

#include <algorithm>
#include <ostream>

#include "ra/app/config/load.h"
#include "ra/app/explain.h"
#include "ra/app/message_file.h"

namespace ra::app {

int explain_file(const std::string& path, const ExplainAs& as, const config::Config& config,
                 const gateway::Settings& settings, std::ostream& out) {
    policy::ArrivalFacts arrival;
    arrival.label = as.label;
    if (!as.listener.empty()) {
        const auto found = std::find_if(
            config.listeners.begin(), config.listeners.end(),
            [&](const config::ListenerConfig& listener) { return listener.name == as.listener; });
        if (found == config.listeners.end())
            throw std::runtime_error("there is no listener " + config::in_quotes(as.listener));
        arrival.listener = static_cast<ListenerId>(found - config.listeners.begin());
    }
    const SystemClock clock;
    std::vector<Bytes> messages = read_message_file(path, settings.limits.message_octets);
    config::Faults reported_elsewhere{config.file};
    const auto secrets = config::load_secrets(config, WallTime{}, reported_elsewhere);
    int status = 0;
    for (Bytes& message : messages) {
        if (messages.size() > 1) out << "message of " << message.size() << " octets\n";
        status = std::max(
            status, explain_message(std::move(message), arrival, settings, secrets, clock, out));
    }
    out << (status == 0 ? "permitted" : "refused") << '\n';
    return status;
}

}  // namespace ra::app
