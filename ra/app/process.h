#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ra/app/server.h"

/// What this process is to the one that started it: signals, readiness, inherited sockets.
namespace ra::app {

/// The signals that end the program or have it read its configuration again, received by waiting.
/// To be made before any thread, so that all of them inherit the mask.
class Signals {
public:
    /// Blocks SIGTERM, SIGINT, SIGHUP and SIGUSR1 (by which threads of ours wake the main one);
    /// ignores SIGPIPE.
    Signals();
    /// Sleeps until one comes; its number.
    [[nodiscard]] int wait() const;
    /// From now on the next one ends the process at once.
    void restore() const;
};

/// Tells the service manager, if there is one ($NOTIFY_SOCKET): "READY=1", "STOPPING=1",
/// "RELOADING=1" with the time since boot, as Type=notify-reload wants it. The
/// protocol is one datagram; libsystemd for it would cost start-up time and a library.
void notify_manager(std::string_view state) noexcept;
void notify_reloading() noexcept;

/// Sockets handed over by a service manager ($LISTEN_FDS and $LISTEN_FDNAMES).
[[nodiscard]] std::vector<Server::Inherited> inherited_sockets();

}  // namespace ra::app
