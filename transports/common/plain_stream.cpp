#include "transports/common/plain_stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <boost/asio/async_result.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <utility>

namespace transports::common {

namespace asio = boost::asio;

namespace {

error_code last_error() noexcept {
    if (errno == EAGAIN || errno == EWOULDBLOCK) return asio::error::would_block;
    return {errno, boost::system::system_category()};
}

}  // namespace

template <class Handler>
struct PlainStream::WaiterOf final : Waiter {
    explicit WaiterOf(Handler resumed) : handler{std::move(resumed)} {}
    void resume(Ready ready) override { std::move(handler)(ready); }
    Handler handler;
};

PlainStream::PlainStream(Worker& worker, int socket, ra::PeerFacts peer) noexcept
    : worker_{worker}, socket_{socket}, peer_{std::move(peer)} {
    if (!worker_.reactor().add(socket_, *this)) PlainStream::close();
}

std::size_t PlainStream::try_read(std::span<std::uint8_t> to, error_code& error) noexcept {
    ssize_t got = 0;
    do {
        got = recv(socket_, to.data(), to.size(), MSG_DONTWAIT);
    } while (got < 0 && errno == EINTR);
    // Less than there was room for: the rest will be news.
    if (got < static_cast<ssize_t>(to.size())) reading_.ready = half_closed_;
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
        sent = sendmsg(socket_, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    const std::size_t whole = head.size() + body.size();
    if (sent < static_cast<ssize_t>(whole)) writing_.ready = half_closed_;
    if (sent < 0) {
        error = last_error();
        return 0;
    }
    const auto taken = static_cast<std::size_t>(sent);
    error = taken < whole ? error_code{asio::error::would_block} : error_code{};
    return taken;
}

asio::awaitable<Ready> PlainStream::wait(Direction& direction) {
    // An own initiation: the awaitable yields Ready without a second coroutine frame.
    const auto start = [this, &direction](auto handler) {
        auto waiter = std::make_unique<WaiterOf<decltype(handler)>>(std::move(handler));
        if (socket_ < 0) return resume_later(std::move(waiter), Ready::closed);
        // The deadline passed while nobody waited: this wait is over before it begins.
        if (timed_out_) return resume_later(std::move(waiter), Ready::timed_out);
        // Later all the same: whoever always has more to say must not keep the others waiting.
        if (direction.ready) return resume_later(std::move(waiter), Ready::ready);
        direction.waiter = std::move(waiter);
    };
    return asio::async_initiate<const asio::use_awaitable_t<>, void(Ready)>(start,
                                                                            asio::use_awaitable);
}

asio::awaitable<Ready> PlainStream::wait_read() { return wait(reading_); }
asio::awaitable<Ready> PlainStream::wait_write() { return wait(writing_); }

void PlainStream::ready(std::uint32_t events) noexcept {
    constexpr std::uint32_t kFault = EPOLLERR | EPOLLHUP;
    if ((events & (kFault | EPOLLRDHUP)) != 0) half_closed_ = true;
    if ((events & (kFault | EPOLLRDHUP | EPOLLIN)) != 0) reading_.ready = true;
    if ((events & (kFault | EPOLLOUT)) != 0) writing_.ready = true;
    WaiterPtr reader = reading_.ready ? std::move(reading_.waiter) : nullptr;
    WaiterPtr writer = writing_.ready ? std::move(writing_.waiter) : nullptr;
    if (reader != nullptr) resume_later(std::move(writer), Ready::ready);
    const WaiterPtr first = reader != nullptr ? std::move(reader) : std::move(writer);
    if (first == nullptr) return;
    Worker& worker = worker_;
    try {
        first->resume(Ready::ready);  // may destroy this
    } catch (...) {
        worker.report("stream", std::current_exception());
    }
}

void PlainStream::resume_later(WaiterPtr waiter, Ready ready) noexcept {
    if (waiter == nullptr) return;
    worker_.post([waiter = std::move(waiter), ready] { waiter->resume(ready); });
}

void PlainStream::end_waits(Ready why) noexcept {
    resume_later(std::move(reading_.waiter), why);
    resume_later(std::move(writing_.waiter), why);
}

void PlainStream::expires_at(ra::BootTime at) noexcept {
    timed_out_ = false;
    worker_.arm(*this, at);
}

void PlainStream::expired() noexcept {
    timed_out_ = true;
    end_waits(Ready::timed_out);
}

void PlainStream::abandoned() noexcept {
    // The waiters own coroutines, whose frames may own this: nothing may be touched afterwards.
    const WaiterPtr reader = std::move(reading_.waiter), writer = std::move(writing_.waiter);
}

void PlainStream::quick_ack() noexcept {
    const int on = 1;
    setsockopt(socket_, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

bool PlainStream::quiet() noexcept {
    std::uint8_t octet = 0;
    const ssize_t got = recv(socket_, &octet, 1, MSG_PEEK | MSG_DONTWAIT);
    return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

void PlainStream::shutdown_write() noexcept { ::shutdown(socket_, SHUT_WR); }

void PlainStream::close() noexcept {
    if (socket_ < 0) return;
    TimerWheel::disarm(*this);
    Reactor::Watch::forget();
    ::close(std::exchange(socket_, -1));
    end_waits(Ready::closed);
}

std::optional<PlainStream::LocalPeer> PlainStream::local_peer() const {
    int domain = 0;
    socklen_t size = sizeof domain;
    if (getsockopt(socket_, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0 || domain != AF_UNIX)
        return std::nullopt;
    ucred who{};
    size = sizeof who;
    if (getsockopt(socket_, SOL_SOCKET, SO_PEERCRED, &who, &size) < 0) return std::nullopt;
    LocalPeer peer{who.uid, static_cast<std::uint32_t>(who.pid), {}};
    std::vector<gid_t> groups(64);
    size = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
    int got = getsockopt(socket_, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size);
    if (got < 0 && errno == ERANGE) {
        groups.resize(size / sizeof(gid_t));
        got = getsockopt(socket_, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size);
    }
    groups.resize(got < 0 ? 0 : size / sizeof(gid_t));
    groups.push_back(who.gid);
    peer.gids.assign(groups.begin(), groups.end());
    return peer;
}

error_code PlainStream::connect_error() noexcept {
    int value = 0;
    socklen_t size = sizeof value;
    if (getsockopt(socket_, SOL_SOCKET, SO_ERROR, &value, &size) < 0) return last_error();
    return {value, boost::system::system_category()};
}

}  // namespace transports::common
