#include "transports/common/listen_socket.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/ip/tcp.hpp>
#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace transports::common {

namespace {

using Endpoint = boost::asio::ip::tcp::endpoint;

std::string text_of(const Endpoint& endpoint) {
    const std::string address = endpoint.address().to_string();
    const std::string host = endpoint.address().is_v6() ? "[" + address + "]" : address;
    return host + ":" + std::to_string(endpoint.port());
}

[[noreturn]] void refuse(const Endpoint& endpoint) {
    const int error = errno;
    const std::string where = text_of(endpoint);
    std::string why = std::generic_category().message(error);
    if (error == EADDRINUSE) why = "the port is taken by another program";
    if (error == EADDRNOTAVAIL) why = "this machine has no such address";
    if (error == EACCES) why = "ports below 1024 need CAP_NET_BIND_SERVICE";
    throw std::runtime_error{"cannot listen on " + where + ": " + why};
}

Endpoint parse_address(std::string address, std::uint16_t port) {
    if (address == "localhost") address = "127.0.0.1";
    if (address.size() > 2 && address.front() == '[' && address.back() == ']') {
        address = address.substr(1, address.size() - 2);
    }
    boost::system::error_code error;
    const auto parsed = boost::asio::ip::make_address(address, error);
    if (error) {
        throw std::runtime_error{"cannot listen on " + address +
                                 ": not a numeric IPv4 or IPv6 address"};
    }
    return {parsed, port};
}

OwnedDescriptor bind_one(const Endpoint& endpoint, bool shared) {
    OwnedDescriptor made{
        socket(endpoint.data()->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    if (made.get() < 0) refuse(endpoint);
    const int on = 1;
    setsockopt(made.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (shared) setsockopt(made.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    // Accepted sockets inherit it: one system call less for each connection.
    setsockopt(made.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (bind(made.get(), endpoint.data(), static_cast<socklen_t>(endpoint.size())) < 0) {
        refuse(endpoint);
    }
    return made;
}

Endpoint local_endpoint(int descriptor) {
    Endpoint endpoint;
    auto size = static_cast<socklen_t>(endpoint.capacity());
    if (getsockname(descriptor, endpoint.data(), &size) < 0) {
        throw std::system_error{errno, std::generic_category(), "getsockname"};
    }
    endpoint.resize(size);
    return endpoint;
}

}  // namespace

OwnedDescriptor& OwnedDescriptor::operator=(OwnedDescriptor&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
}

OwnedDescriptor::~OwnedDescriptor() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

int OwnedDescriptor::release() noexcept { return std::exchange(descriptor_, -1); }

ListenSockets open_listen_sockets(const std::string& address, std::uint16_t port, std::size_t count,
                                  int backlog) {
    Endpoint endpoint = parse_address(address, port);
    if (port != 0) {
        const OwnedDescriptor probe = bind_one(endpoint, false);
        // Binding alone succeeds beside another SO_REUSEADDR socket until somebody listens.
        if (listen(probe.get(), 1) < 0) refuse(endpoint);
    }
    ListenSockets made;
    for (std::size_t i = 0; i < count; ++i) {
        made.sockets.push_back(bind_one(endpoint, true));
        if (i == 0) endpoint = local_endpoint(made.sockets.front().get());
    }
    for (const OwnedDescriptor& one : made.sockets) {
        if (listen(one.get(), backlog) < 0) refuse(endpoint);
    }
    made.port = endpoint.port();
    made.text = text_of(endpoint);
    return made;
}

ListenSockets open_unix_socket(const std::string& path, bool for_all, int backlog) {
    const auto fault = [&path](const std::string& why) {
        return std::runtime_error{"cannot listen on unix:" + path + ": " + why};
    };
    const auto system_fault = [&fault] { return fault(std::generic_category().message(errno)); };
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path)
        throw fault("a path of 1 to " + std::to_string(sizeof address.sun_path - 1) + " octets");
    path.copy(address.sun_path, path.size());
    const auto* const to = reinterpret_cast<const sockaddr*>(&address);

    struct stat found{};
    if (::lstat(path.c_str(), &found) == 0) {
        if (!S_ISSOCK(found.st_mode)) throw fault("something else than a socket is there");
        const OwnedDescriptor probe{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
        if (::connect(probe.get(), to, sizeof address) == 0)
            throw fault("it is taken by another program");
        if (errno != ECONNREFUSED || ::unlink(path.c_str()) < 0) throw system_fault();
    }
    OwnedDescriptor made{::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    if (made.get() < 0) throw system_fault();
    // Nobody may connect before the mode says who may: it is set between bind and listen.
    if (::bind(made.get(), to, sizeof address) < 0) throw system_fault();
    const mode_t mode = for_all ? 0666 : 0600;
    if (::chmod(path.c_str(), mode) < 0 || ::listen(made.get(), backlog) < 0) throw system_fault();
    ListenSockets sockets;
    sockets.sockets.push_back(std::move(made));
    sockets.text = "unix:" + path;
    return sockets;
}

ListenSockets adopt_listen_socket(int descriptor, std::size_t count) {
    int listening = 0;
    socklen_t size = sizeof listening;
    if (getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) < 0 ||
        listening == 0) {
        throw std::runtime_error{"inherited descriptor " + std::to_string(descriptor) +
                                 " is no listening socket"};
    }
    const Endpoint endpoint = local_endpoint(descriptor);
    const int on = 1;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ListenSockets made;
    for (std::size_t i = 0; i < count; ++i) {
        OwnedDescriptor copy{fcntl(descriptor, F_DUPFD_CLOEXEC, 0)};
        if (copy.get() < 0) refuse(endpoint);
        fcntl(copy.get(), F_SETFL, fcntl(copy.get(), F_GETFL) | O_NONBLOCK);
        made.sockets.push_back(std::move(copy));
    }
    made.port = endpoint.port();
    made.text = text_of(endpoint);
    return made;
}

}  // namespace transports::common
