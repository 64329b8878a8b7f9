#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "ra/app/config/config.h"
#include "ra/gateway/gateway.h"
#include "transports/file/client.h"

namespace ra::app {

class TlsKeeper;

/// One configuration as the workers are handed it: pure data, immutable, shared.
struct Wiring {
    config::Config config;
    gateway::SettingsPtr settings;
    std::vector<std::string> listeners;  // names by ListenerId
    std::vector<std::string> labels;     // of the paths that profiles name
    std::set<std::string> kept;          // upstreams whose connections go on
    std::shared_ptr<TlsKeeper> tls;      // its TLS contexts, by name
    std::map<std::string, std::shared_ptr<transports::file::SpoolClient>> spools;  // by upstream
    BootTime pinned_until{};  // what open transactions pinned before is kept till then
};

[[nodiscard]] std::shared_ptr<Wiring> make_wiring(const config::Config& config,
                                                  gateway::SettingsPtr settings);

}  // namespace ra::app
