#include "tests/bench/sockets.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <stdexcept>
#include <system_error>

namespace bench {
namespace {

[[noreturn]] void fail(const char* what) {
    throw std::system_error(errno, std::generic_category(), what);
}

/// bind, connect and getsockname want the general type.
sockaddr* general(sockaddr_in& address) {
    return static_cast<sockaddr*>(static_cast<void*>(&address));
}

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

}  // namespace

Socket& Socket::operator=(Socket&& other) noexcept {
    if (this != &other) {
        if (fd_ >= 0) ::close(fd_);
        fd_ = other.fd_;
        other.fd_ = -1;
    }
    return *this;
}

Socket::~Socket() {
    if (fd_ >= 0) ::close(fd_);
}

void set_nodelay(int fd) {
    const int on = 1;
    if (::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) fail("TCP_NODELAY");
}

Socket listen_on(std::uint16_t& port) {
    constexpr int kBacklog = 4096;
    Socket made{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    if (made.fd() < 0) fail("socket");
    const int on = 1;
    ::setsockopt(made.fd(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address = loopback(port);
    socklen_t size = sizeof address;
    if (::bind(made.fd(), general(address), size) != 0) fail("bind");
    if (::listen(made.fd(), kBacklog) != 0) fail("listen");
    if (::getsockname(made.fd(), general(address), &size) != 0) fail("getsockname");
    port = ntohs(address.sin_port);
    return made;
}

Socket connect_to(std::uint16_t port) {
    Socket made{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (made.fd() < 0) fail("socket");
    sockaddr_in address = loopback(port);
    if (::connect(made.fd(), general(address), sizeof address) != 0) fail("connect");
    set_nodelay(made.fd());
    return made;
}

void raise_descriptor_limit() noexcept {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

std::optional<HttpMessage> http_message(std::string_view buffer) {
    constexpr std::string_view kEnd = "\r\n\r\n", kLength = "content-length:";
    const std::size_t end = buffer.find(kEnd);
    if (end == std::string_view::npos) return std::nullopt;
    const std::size_t head = end + kEnd.size();
    for (std::size_t line = buffer.find("\r\n") + 2; line < head;
         line = buffer.find("\r\n", line) + 2) {
        if (::strncasecmp(buffer.data() + line, kLength.data(), kLength.size()) != 0) continue;
        std::size_t at = line + kLength.size(), length = 0;
        while (buffer[at] == ' ') ++at;
        std::from_chars(buffer.data() + at, buffer.data() + head, length);
        if (buffer.size() - head < length) return std::nullopt;
        return HttpMessage{buffer.substr(0, head), buffer.substr(head, length), head + length};
    }
    throw std::runtime_error("HTTP without Content-Length: " + std::string(buffer.substr(0, head)));
}

bool read_some(int fd, std::string& buffer) {
    constexpr std::size_t kRoom = 8192;
    const std::size_t had = buffer.size();
    buffer.resize(had + kRoom);
    const ssize_t got = ::recv(fd, buffer.data() + had, kRoom, MSG_DONTWAIT);
    buffer.resize(had + static_cast<std::size_t>(got > 0 ? got : 0));
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return true;
    if (got < 0 && errno != ECONNRESET) fail("recv");
    return got > 0;
}

void write_all(int fd, std::string_view octets) {
    while (!octets.empty()) {
        const ssize_t sent = ::send(fd, octets.data(), octets.size(), MSG_NOSIGNAL);
        if (sent >= 0) {
            octets.remove_prefix(static_cast<std::size_t>(sent));
        } else if (errno == EAGAIN) {
            pollfd wait{fd, POLLOUT, 0};
            ::poll(&wait, 1, -1);
        } else if (errno != EINTR) {
            fail("send");
        }
    }
}

}  // namespace bench
