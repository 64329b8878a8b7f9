#include "transports/common/connector.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>

#include "transports/common/listen_socket.h"

namespace transports::common {

namespace asio = boost::asio;

asio::awaitable<std::unique_ptr<PlainStream>> connect_to(Worker& worker,
                                                         asio::ip::tcp::endpoint peer,
                                                         ra::BootTime until) {
    OwnedDescriptor socket{
        ::socket(peer.data()->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP)};
    if (socket.get() < 0) co_return nullptr;
    const int on = 1;
    setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(socket.get(), peer.data(), static_cast<socklen_t>(peer.size())) < 0 &&
        errno != EINPROGRESS) {
        co_return nullptr;
    }
    auto stream = std::make_unique<PlainStream>(
        worker, socket.release(), ra::PeerFacts{peer.address().to_string(), peer.port()});
    stream->expires_at(until);
    const Ready ready = co_await stream->wait_write();
    if (ready != Ready::ready || stream->connect_error()) co_return nullptr;
    co_return stream;
}

}  // namespace transports::common
