#pragma once

#include <chrono>
#include <functional>
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

/// What happens around the end of the program; each may be empty.
struct Ending {
    std::chrono::seconds drain_timeout{20};
    std::function<void()> at_once;     // at the signal, before anything is waited for
    std::function<void()> on_hangup;   // at each SIGHUP, which otherwise ends like the others
    std::function<void()> on_renewed;  // at each SIGUSR1
    std::function<void()> at_last;     // when what ran has ended, while the server is still there
};

/// Waits for the signal to end, lets what runs finish (a second signal ends at once), and takes the
/// server down. The exit status.
[[nodiscard]] int end_well(std::unique_ptr<Server> server, const Signals& signals, Log& log,
                           const Ending& ending);

}  // namespace ra::app
