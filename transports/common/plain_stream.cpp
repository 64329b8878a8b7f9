#include "transports/common/plain_stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>

namespace transports::common {

namespace asio = boost::asio;

namespace {

error_code last_error() noexcept {
    if (errno == EAGAIN || errno == EWOULDBLOCK) return asio::error::would_block;
    return {errno, boost::system::system_category()};
}

}  // namespace

PlainStream::PlainStream(Worker& worker, int socket, ra::PeerFacts peer)
    : worker_{worker}, socket_{worker.executor(), socket}, peer_{std::move(peer)} {}

std::size_t PlainStream::try_read(std::span<std::uint8_t> to, error_code& error) noexcept {
    ssize_t got = 0;
    do {
        got = recv(socket_.native_handle(), to.data(), to.size(), MSG_DONTWAIT);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        error = last_error();
        return 0;
    }
    error = got == 0 ? error_code{asio::error::eof} : error_code{};
    return static_cast<std::size_t>(got);
}

std::size_t PlainStream::try_write(ra::ByteView head, ra::ByteView body,
                                   error_code& error) noexcept {
    // sendmsg() does not write through its vectors; iovec has no const form.
    iovec parts[2] = {{const_cast<std::uint8_t*>(head.data()), head.size()},
                      {const_cast<std::uint8_t*>(body.data()), body.size()}};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    ssize_t sent = 0;
    do {
        sent = sendmsg(socket_.native_handle(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0) {
        error = last_error();
        return 0;
    }
    const auto taken = static_cast<std::size_t>(sent);
    error = taken < head.size() + body.size() ? error_code{asio::error::would_block} : error_code{};
    return taken;
}

asio::awaitable<Ready> PlainStream::wait(Worker::Descriptor::wait_type what) {
    // An own initiation: the awaitable yields Ready without a second coroutine frame to translate
    // the error code.
    const auto start = [this, what](auto handler) {
        const auto executor = asio::get_associated_executor(handler, socket_.get_executor());
        socket_.async_wait(what,
                           asio::bind_executor(executor, [this, resume = std::move(handler)](
                                                             const error_code& error) mutable {
                               // `closed` first: the stream may be on its way out.
                               const Ready ready = !socket_.is_open() ? Ready::closed
                                                   : timed_out_       ? Ready::timed_out
                                                   : error            ? Ready::closed
                                                                      : Ready::ready;
                               std::move(resume)(ready);
                           }));
        // The deadline passed while nobody waited: this wait is over before it begins.
        if (timed_out_) expired();
    };
    return asio::async_initiate<const asio::use_awaitable_t<>, void(Ready)>(start,
                                                                            asio::use_awaitable);
}

asio::awaitable<Ready> PlainStream::wait_read() { return wait(Worker::Descriptor::wait_read); }
asio::awaitable<Ready> PlainStream::wait_write() { return wait(Worker::Descriptor::wait_write); }

void PlainStream::expires_at(ra::BootTime at) noexcept {
    timed_out_ = false;
    worker_.arm(*this, at);
}

void PlainStream::expired() noexcept {
    timed_out_ = true;
    error_code ignored;
    socket_.cancel(ignored);
}

void PlainStream::quick_ack() noexcept {
    const int on = 1;
    setsockopt(socket_.native_handle(), IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

bool PlainStream::quiet() noexcept {
    std::uint8_t octet = 0;
    const ssize_t got = recv(socket_.native_handle(), &octet, 1, MSG_PEEK | MSG_DONTWAIT);
    return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

void PlainStream::shutdown_write() noexcept { ::shutdown(socket_.native_handle(), SHUT_WR); }

void PlainStream::close() noexcept {
    TimerWheel::disarm(*this);
    error_code ignored;
    socket_.close(ignored);
}

std::optional<PlainStream::LocalPeer> PlainStream::local_peer() const {
    // asio's native_handle() is not const, and changes nothing.
    const int socket = const_cast<Worker::Descriptor&>(socket_).native_handle();
    int domain = 0;
    socklen_t size = sizeof domain;
    if (getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0 || domain != AF_UNIX)
        return std::nullopt;
    ucred who{};
    size = sizeof who;
    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &who, &size) < 0) return std::nullopt;
    LocalPeer peer{who.uid, static_cast<std::uint32_t>(who.pid), {}};
    std::vector<gid_t> groups(64);
    size = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
    int got = getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size);
    if (got < 0 && errno == ERANGE) {
        groups.resize(size / sizeof(gid_t));
        got = getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size);
    }
    groups.resize(got < 0 ? 0 : size / sizeof(gid_t));
    groups.push_back(who.gid);
    peer.gids.assign(groups.begin(), groups.end());
    return peer;
}

error_code PlainStream::connect_error() noexcept {
    int value = 0;
    socklen_t size = sizeof value;
    if (getsockopt(socket_.native_handle(), SOL_SOCKET, SO_ERROR, &value, &size) < 0) {
        return last_error();
    }
    return {value, boost::system::system_category()};
}

}  // namespace transports::common
