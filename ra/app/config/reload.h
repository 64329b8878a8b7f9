#pragma once

#include <string>
#include <vector>

#include "ra/app/config/config.h"

/// What a running gateway does with a new configuration.
namespace ra::app::config {

/// A listener keeps its id as long as the process runs, whatever stands before it in the file:
/// `known` has the names by id, and gets those that are new. Profiles that name listeners follow.
/// To be called before load_settings().
void number_listeners(Config& config, std::vector<std::string>& known, Faults& faults);

/// What differs and needs a restart, as faults where it stands in the new file.
void judge_reload(const Config& now, const Config& next, Faults& faults);

/// Both are one address: the sockets, and the connections through them, go on.
[[nodiscard]] bool same_socket(const ListenerConfig& a, const ListenerConfig& b) noexcept;

/// Both are reached in the same way: pooled connections go on.
[[nodiscard]] bool same_client(const UpstreamConfig& a, const UpstreamConfig& b);

}  // namespace ra::app::config
