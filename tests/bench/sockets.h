#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// What the load and the test CA need of sockets and HTTP/1.1, and no more: the peers are ours.
namespace bench {

/// A descriptor that is closed with its owner.
class Socket {
public:
    explicit Socket(int fd = -1) noexcept : fd_{fd} {}
    Socket(Socket&& other) noexcept : fd_{other.fd_} { other.fd_ = -1; }
    Socket& operator=(Socket&& other) noexcept;
    ~Socket();
    [[nodiscard]] int fd() const noexcept { return fd_; }

private:
    int fd_;
};

/// On 127.0.0.1; `port` 0 gets any. All throw std::system_error.
[[nodiscard]] Socket listen_on(std::uint16_t& port);
[[nodiscard]] Socket connect_to(std::uint16_t port);
void set_nodelay(int fd);
/// Raises the soft limit of descriptors to the hard one.
void raise_descriptor_limit() noexcept;

/// A whole HTTP message at the start of a buffer.
struct HttpMessage {
    std::string_view head;
    std::string_view body;
    std::size_t size;
};
/// nullopt: not there yet. Only Content-Length is known. Throws std::runtime_error without one.
[[nodiscard]] std::optional<HttpMessage> http_message(std::string_view buffer);

/// Reads what is there into `buffer`; false: the peer closed. Throws std::system_error.
[[nodiscard]] bool read_some(int fd, std::string& buffer);
/// Writes all of it, waiting if it must. Throws std::system_error.
void write_all(int fd, std::string_view octets);

}  // namespace bench
