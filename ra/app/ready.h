#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "ra/app/log.h"
#include "ra/app/process.h"
#include "ra/app/server.h"

namespace ra::app {

/// A client's command for one served URL, on one line.
[[nodiscard]] std::string client_command(const std::string& address, const std::string& path,
                                         const std::string& arguments);

/// Prints every URL that is served, with a client command that works there; one log line.
void announce(const Server& server, const config::Config& config, Log& log);

/// Waits for the signal to end, lets what runs finish (a second signal ends at once), and takes the
/// server down. `at_once`: run at the signal, before waiting. The exit status.
[[nodiscard]] int end_well(std::unique_ptr<Server> server, const EndSignals& signals,
                           std::chrono::seconds drain_timeout, Log& log,
                           const std::function<void()>& at_once = {});

}  // namespace ra::app
