#include "ra/app/ready.h"

#include <unistd.h>

#include <csignal>
#include <iostream>

#include "ra/app/version.h"

namespace ra::app {

std::string client_command(const std::string& address, const std::string& path,
                           const std::string& arguments) {
    return "openssl cmp -cmd ir -server " + address + " -path " + path + ' ' + arguments;
}

namespace {

/// What posts a message that another tool has made.
std::string coap_command(const Server::Served& served, const std::string& path) {
    return "coap-client-openssl -m post -t 259 -f request.der -o answer.der " + served.scheme +
           "://" + served.address + path;
}

}  // namespace

void announce(const Server& server, const config::Config& config, Log& log) {
    static const std::string kArguments =
        "-cert device.pem -key device.key -newkey new.key -subject /CN=device -trusted ca.pem "
        "-certout new.pem";
    for (const Server::Served& served : server.served()) {
        std::cout << served.listener << '\n';
        if (served.paths.empty()) {
            const std::string_view between = served.port != 0 ? "://" : ":";
            std::cout << "  " << served.scheme << between << served.address << '\n';
        }
        const bool https = served.scheme == "https";
        const bool coap = served.scheme.starts_with("coap");
        const std::string server_at = https ? "https://" + served.address : served.address;
        for (const std::string& path : served.paths) {
            std::cout << "  " << served.scheme << "://" << served.address << path << '\n'
                      << "    "
                      << (coap ? coap_command(served, path)
                               : client_command(
                                     server_at, path,
                                     https ? "-tls_used -tls_trusted tls-ca.pem " + kArguments
                                           : kArguments))
                      << '\n';
        }
        log.write(Log::Level::info, "listening",
                  {{"listener", std::string_view{served.listener}},
                   {"scheme", std::string_view{served.scheme}},
                   {"address", std::string_view{served.address}}});
    }
    std::cout << std::flush;
    log.write(Log::Level::info, "ready",
              {{"version", version()},
               {"commit", commit()},
               {"config", std::string_view{config.file}},
               {"workers", static_cast<std::int64_t>(server.workers())},
               {"pid", static_cast<std::int64_t>(::getpid())}});
}

int end_well(std::unique_ptr<Server> server, const Signals& signals, Log& log,
             const Ending& ending) {
    int signal = signals.wait();
    for (;; signal = signals.wait()) {
        if (signal == SIGUSR1) {
            if (ending.on_renewed) ending.on_renewed();
        } else if (signal == SIGHUP && ending.on_hangup) {
            ending.on_hangup();
        } else {
            break;
        }
    }
    if (ending.at_once) ending.at_once();
    signals.restore();
    notify_manager("STOPPING=1");
    log.write(Log::Level::info, "stopping",
              {{"signal", signal == SIGINT   ? "SIGINT"
                          : signal == SIGHUP ? "SIGHUP"
                                             : "SIGTERM"}});
    const bool drained = server->drain(BootClock::now() + ending.drain_timeout);
    if (ending.at_last) ending.at_last();
    // With the memory store, what ends with this process: transactions of which a device will yet
    // ask, and what must not come again.
    const gateway::Store::Sizes held = server->store_sizes();
    std::vector<Field> fields = {{"open", static_cast<std::int64_t>(held.open)},
                                 {"remembered", static_cast<std::int64_t>(held.remembered)},
                                 {"kept_bytes", static_cast<std::int64_t>(held.kept_octets)}};
    if (drained) {
        log.write(Log::Level::info, "stopped", fields);
        return 0;
    }
    fields.push_back({"detail", "exchanges were cut off at drain_timeout"});
    log.write(Log::Level::warning, "stopped", fields);
    log.flush();
    std::cout << std::flush;
    ::_exit(0);  // frames of the exchanges that were cut off still refer to the server
}

}  // namespace ra::app
