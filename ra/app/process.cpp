#include "ra/app/process.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace ra::app {
namespace {

constexpr int kFirstSocket = 3;  // sd_listen_fds(3)
constexpr int kMostSockets = 64;

sigset_t our_signals() {
    sigset_t set;
    ::sigemptyset(&set);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) ::sigaddset(&set, signal);
    return set;
}

std::optional<int> number_of(const char* text) {
    if (text == nullptr) return std::nullopt;
    int number = 0;
    const char* end = text + std::strlen(text);
    const auto [stop, error] = std::from_chars(text, end, number);
    return error == std::errc{} && stop == end ? std::optional<int>{number} : std::nullopt;
}

}  // namespace

Signals::Signals() {
    const sigset_t set = our_signals();
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
    (void)std::signal(SIGPIPE, SIG_IGN);
}

int Signals::wait() const {
    const sigset_t set = our_signals();
    int signal = 0;
    while (::sigwait(&set, &signal) != 0) {
    }
    return signal;
}

void Signals::restore() const {
    const sigset_t set = our_signals();
    ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

void notify_manager(std::string_view state) noexcept {
    const char* path = std::getenv("NOTIFY_SOCKET");
    if (path == nullptr) return;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::size_t size = std::strlen(path);
    if (size == 0 || size >= sizeof address.sun_path || (path[0] != '/' && path[0] != '@')) return;
    std::memcpy(address.sun_path, path, size);
    if (path[0] == '@') address.sun_path[0] = '\0';  // the abstract namespace
    const int socket = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (socket < 0) return;
    const auto* to = reinterpret_cast<const sockaddr*>(&address);
    (void)::sendto(socket, state.data(), state.size(), MSG_NOSIGNAL, to,
                   static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + size));
    ::close(socket);
}

void notify_reloading() noexcept {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    char text[64];
    const int size =
        std::snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%lld",
                      static_cast<long long>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1000);
    notify_manager({text, static_cast<std::size_t>(size)});
}

std::vector<Server::Inherited> inherited_sockets() {
    if (number_of(std::getenv("LISTEN_PID")) != std::optional<int>{::getpid()}) return {};
    const int count = std::clamp(number_of(std::getenv("LISTEN_FDS")).value_or(0), 0, kMostSockets);
    const char* listed = std::getenv("LISTEN_FDNAMES");
    std::string_view names = listed != nullptr ? listed : "";
    std::vector<Server::Inherited> sockets;
    for (int i = 0; i < count; ++i) {
        const auto colon = names.find(':');
        sockets.push_back({kFirstSocket + i, std::string(names.substr(0, colon))});
        ::fcntl(kFirstSocket + i, F_SETFD, FD_CLOEXEC);
        names = colon == std::string_view::npos ? std::string_view{} : names.substr(colon + 1);
    }
    return sockets;
}

}  // namespace ra::app
