#include "ra/app/file_entrance.h"

#include <csignal>

namespace ra::app {

using transports::file::FileServer;
using transports::file::FileServerSettings;

namespace {

FileServerSettings file_settings(const config::ListenerConfig& listener, const Wiring& wiring) {
    FileServerSettings settings;
    settings.listener = listener.id;
    settings.label = listener.label;
    settings.max_message = wiring.settings->limits.message_octets;
    settings.at_once = listener.at_once;
    settings.receive_time = listener.receive_timeout;
    settings.exchange_time = listener.exchange_timeout;
    settings.rescan = listener.rescan;
    return settings;
}

}  // namespace

FileEntrance::FileEntrance(const config::ListenerConfig& config, const Wiring& wiring,
                           transports::common::Workers& workers, const PartsList& parts, Log& log)
    : Entrance{config}, path_{config.url.directory(wiring.config.directory)} {
    std::vector<FileServer::Seat> seats;
    for (std::size_t i = 0; i < workers.size(); ++i)
        seats.push_back({workers[i], parts[i]->exchange()});
    const auto report = [&log, name = config.name](std::string_view file, std::string_view why) {
        if (file.empty()) {
            log.write(Log::Level::error, "spool",
                      {{"listener", std::string_view{name}}, {"detail", why}});
        } else {
            log.write(Log::Level::warning, "file-failed",
                      {{"listener", std::string_view{name}}, {"file", file}, {"detail", why}});
        }
    };
    server_ = std::make_unique<FileServer>(path_, file_settings(config, wiring), std::move(seats),
                                           counters_, report);
}

FileEntrance::~FileEntrance() {
    server_->end();
    if (thread_.joinable()) thread_.join();
}

void FileEntrance::start() {
    server_->start();
    if (thread_.joinable()) return;
    // Signals are the main thread's.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread{[this] { server_->run(); }};
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void FileEntrance::used(const config::ListenerConfig& config, const Wiring& wiring) {
    server_->use(file_settings(config, wiring));
    Entrance::used(config, wiring);
}

}  // namespace ra::app
