#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/system/error_code.hpp>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "ra/base/bytes.h"
#include "ra/base/time.h"
#include "ra/exchange.h"

namespace transports::common {

using boost::system::error_code;

/// How a wait on a stream ended.
enum class Ready : std::uint8_t {
    ready,      // try again
    timed_out,  // the stream's deadline came first
    closed,     // close() was called
};

/// A session that ends in its own way when its worker shuts down: several exchanges may be open.
struct Drainable {
    virtual ~Drainable() = default;
    virtual void drain() noexcept = 0;
};

/// A connection, cleartext or TLS, as every stream transport sees it. Non-template on purpose.
///
/// Reading and writing never suspend: they do what the socket allows and say `would_block`; then
/// the caller waits. So a connection that waits owns no buffer, and TLS fits behind (a read that
/// must write first, or the other way round, is known to the stream, which waits for the right
/// one). One reader and one writer at a time. Not thread-safe.
class ByteStream {
public:
    ByteStream() = default;
    ByteStream(const ByteStream&) = delete;
    ByteStream& operator=(const ByteStream&) = delete;
    virtual ~ByteStream() = default;

    /// Octets received into `to`. `error`: none; asio::error::would_block; asio::error::eof;
    /// or the connection is broken.
    [[nodiscard]] virtual std::size_t try_read(std::span<std::uint8_t> to,
                                               error_code& error) noexcept = 0;

    /// Sends `head` and then `body` in one segment where they fit; the number of octets of both
    /// together that were taken. `error` as for try_read(): set if not all was taken.
    [[nodiscard]] virtual std::size_t try_write(ra::ByteView head, ra::ByteView body,
                                                error_code& error) noexcept = 0;

    /// Suspends until a read (a write) that would have blocked may go on.
    [[nodiscard]] virtual boost::asio::awaitable<Ready> wait_read() = 0;
    [[nodiscard]] virtual boost::asio::awaitable<Ready> wait_write() = 0;

    /// Sends both whole; they must stay as long. `done` octets are already sent. Errors: as
    /// try_write(), timed_out, operation_aborted.
    [[nodiscard]] boost::asio::awaitable<error_code> write(ra::ByteView head,
                                                           ra::ByteView body = {},
                                                           std::size_t done = 0);

    /// Every wait ends at `at` (up to 50 ms late). Replaces the earlier deadline and forgives it.
    virtual void expires_at(ra::BootTime at) noexcept = 0;
    void expires_after(ra::BootClock::duration time) noexcept {
        expires_at(ra::BootClock::now() + time);
    }

    /// Sends the acknowledgement that the kernel would delay: called when part of a message came
    /// and its rest is waited for. A peer that sends header and body in two segments without
    /// TCP_NODELAY waits for it, 40 ms each time.
    virtual void quick_ack() noexcept {}

    /// True if the peer neither closed nor sent anything since the last read: what a pooled
    /// connection must pass before its next request.
    [[nodiscard]] virtual bool quiet() noexcept = 0;

    /// Ends our half: the peer reads end-of-file after what was sent.
    virtual void shutdown_write() noexcept = 0;
    /// Ends it; waits return `closed`. Idempotent.
    virtual void close() noexcept = 0;

    [[nodiscard]] virtual const ra::PeerFacts& peer() const noexcept = 0;

    /// What ALPN agreed on: "h2", "http/1.1"; empty: nothing, or cleartext.
    [[nodiscard]] virtual std::string_view protocol() const noexcept { return {}; }

    /// Whether the session waits for its next request, so that a shutdown may close it at once.
    [[nodiscard]] bool idle() const noexcept { return idle_; }
    void set_idle(bool idle) noexcept { idle_ = idle; }

    /// Told of a shutdown instead of being closed; null: nobody.
    [[nodiscard]] Drainable* drainable() const noexcept { return drainable_; }
    void set_drainable(Drainable* drainable) noexcept { drainable_ = drainable; }

private:
    bool idle_ = false;
    Drainable* drainable_ = nullptr;
};

}  // namespace transports::common
