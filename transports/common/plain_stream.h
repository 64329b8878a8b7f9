#pragma once

#include <optional>
#include <vector>

#include "transports/common/byte_stream.h"
#include "transports/common/timer_wheel.h"
#include "transports/common/worker.h"

namespace transports::common {

/// A ByteStream straight on a non-blocking stream socket.
class PlainStream : public ByteStream, private TimerNode {
public:
    /// Takes over `socket` (a connected or connecting non-blocking descriptor) and closes it.
    PlainStream(Worker& worker, int socket, ra::PeerFacts peer);

    std::size_t try_read(std::span<std::uint8_t> to, error_code& error) noexcept override;
    std::size_t try_write(ra::ByteView head, ra::ByteView body,
                          error_code& error) noexcept override;
    boost::asio::awaitable<Ready> wait_read() override;
    boost::asio::awaitable<Ready> wait_write() override;
    void expires_at(ra::BootTime at) noexcept override;
    void quick_ack() noexcept override;
    bool quiet() noexcept override;
    void shutdown_write() noexcept override;
    void close() noexcept override;
    const ra::PeerFacts& peer() const noexcept override { return peer_; }

    /// Who connected over a Unix socket, by the kernel's word: with groups, supplementary ones too.
    struct LocalPeer {
        std::uint32_t uid = 0;
        std::uint32_t pid = 0;
        std::vector<std::uint32_t> gids;
    };
    /// nullopt: not a Unix socket.
    [[nodiscard]] std::optional<LocalPeer> local_peer() const;

    /// The pending error of a connection attempt (SO_ERROR), after wait_write().
    [[nodiscard]] error_code connect_error() noexcept;

private:
    boost::asio::awaitable<Ready> wait(Worker::Descriptor::wait_type what);
    void expired() noexcept override;

    Worker& worker_;
    Worker::Descriptor socket_;
    ra::PeerFacts peer_;
    bool timed_out_ = false;
};

}  // namespace transports::common
