#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "transports/common/byte_stream.h"
#include "transports/common/reactor.h"
#include "transports/common/timer_wheel.h"
#include "transports/common/worker.h"

namespace transports::common {

/// A ByteStream straight on a non-blocking stream socket.
class PlainStream : public ByteStream, private TimerNode, private Reactor::Watch {
public:
    /// Takes over `socket` (a connected or connecting non-blocking descriptor) and closes it.
    PlainStream(Worker& worker, int socket, ra::PeerFacts peer) noexcept;
    ~PlainStream() override { PlainStream::close(); }

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
    /// For whoever learns more about the peer: TLS, a PROXY header.
    [[nodiscard]] ra::PeerFacts& facts() noexcept { return peer_; }
    [[nodiscard]] bool is_open() const noexcept { return socket_ >= 0; }

    /// The pending error of a connection attempt (SO_ERROR), after wait_write().
    [[nodiscard]] error_code connect_error() noexcept;

private:
    /// A suspended coroutine.
    struct Waiter {
        virtual ~Waiter() = default;
        virtual void resume(Ready ready) = 0;
    };
    template <class Handler>
    struct WaiterOf;
    using WaiterPtr = std::unique_ptr<Waiter>;
    /// One direction: whether trying it may succeed, and who waits for that. Readiness is told once
    /// (edge-triggered), so it is remembered until a try has shown that it is gone.
    struct Direction {
        bool ready = false;
        WaiterPtr waiter;
    };

    boost::asio::awaitable<Ready> wait(Direction& direction);
    void end_waits(Ready why) noexcept;
    void resume_later(WaiterPtr waiter, Ready ready) noexcept;
    void ready(std::uint32_t events) noexcept override;
    void expired() noexcept override;
    void abandoned() noexcept override;

    Worker& worker_;
    int socket_;
    Direction reading_, writing_;
    bool half_closed_ = false;  // the peer's end or a fault is to be read: always ready
    bool timed_out_ = false;
    ra::PeerFacts peer_;
};

}  // namespace transports::common
