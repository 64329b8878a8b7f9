#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace transports::common {

/// A descriptor we close.
class OwnedDescriptor {
public:
    OwnedDescriptor() = default;
    explicit OwnedDescriptor(int descriptor) noexcept : descriptor_{descriptor} {}
    OwnedDescriptor(OwnedDescriptor&& other) noexcept : descriptor_{other.release()} {}
    OwnedDescriptor& operator=(OwnedDescriptor&& other) noexcept;
    ~OwnedDescriptor();

    [[nodiscard]] int get() const noexcept { return descriptor_; }
    [[nodiscard]] int release() noexcept;

private:
    int descriptor_ = -1;
};

/// The listening sockets of one address, one for each worker, and the port they got.
struct ListenSockets {
    std::vector<OwnedDescriptor> sockets;
    std::uint16_t port = 0;
    std::string text;  // "127.0.0.1:8080", "[::1]:8080"
};

/// Binds and listens. `address` is numeric (IPv4, or IPv6 with or without brackets) or "localhost";
/// port 0: the kernel chooses one, the same for all `count` sockets. SO_REUSEPORT would let a
/// second process join silently: a bind without it probes first. Throws std::runtime_error naming
/// the address and the fault: start-up only.
[[nodiscard]] ListenSockets open_listen_sockets(const std::string& address, std::uint16_t port,
                                                std::size_t count, int backlog);

/// A Unix socket at `path`, whose directory exists. A socket file that nobody listens on (left by a
/// crash) is replaced, anything else there is a fault. `for_all`: any user may connect, else only
/// ours. Throws as open_listen_sockets().
[[nodiscard]] ListenSockets open_unix_socket(const std::string& path, bool for_all, int backlog);

/// The same from a listening descriptor that somebody else opened (socket activation): duplicated
/// once for each worker; `descriptor` stays the caller's.
[[nodiscard]] ListenSockets adopt_listen_socket(int descriptor, std::size_t count);

}  // namespace transports::common
