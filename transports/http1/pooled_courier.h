#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <deque>
#include <memory>

#include "ra/exchange.h"
#include "transports/common/byte_stream.h"
#include "transports/common/worker.h"
#include "transports/http1/counters.h"
#include "transports/http1/dialer.h"

namespace transports::http1 {

/// A client whose TLS can be replaced: files change while it runs.
struct TlsCourier : ra::Courier {
    /// On the worker: connections from now on are made with it; idle ones are closed. `tls` is not
    /// null, and the client was made with one.
    virtual void set_tls(common::TlsContextPtr tls) = 0;
};

struct PoolSettings {
    DialSettings dial;
    std::size_t max_connections = 128;
    std::size_t max_waiting = 1024;  // deliveries waiting for a connection; more: NotSent "busy"
    std::chrono::milliseconds idle_time{30'000};  // a pooled connection is closed after it
};

/// A client that has one exchange at a time on each of its connections to one address, from one
/// worker: what a protocol adds is attempt(). Connections are kept alive and probed before each
/// use.
class PooledCourier : public TlsCourier, private common::TimerNode {
public:
    /// `worker` and `counters` outlive it; it outlives its deliveries.
    PooledCourier(common::Worker& worker, PoolSettings settings, HttpClientCounters& counters);

    boost::asio::awaitable<ra::Sent> send(ra::Delivery delivery) override;
    boost::asio::awaitable<bool> probe(ra::Deadline until) override;
    void close() noexcept override;

    void set_tls(common::TlsContextPtr tls) override;
    /// A connection somebody else opened and found to speak this protocol.
    void adopt(std::unique_ptr<common::ByteStream> stream);

protected:
    /// How one try on one connection ended.
    struct Attempt {
        ra::Sent sent;
        bool untouched = false;  // no octet left us
        bool silent = false;     // the peer closed without an octet of answer
        bool reusable = false;
    };
    /// One exchange on `stream`, by the delivery's deadline.
    virtual boost::asio::awaitable<Attempt> attempt(common::ByteStream& stream,
                                                    const ra::Delivery& delivery) = 0;
    [[nodiscard]] common::Worker& worker() noexcept { return worker_; }

private:
    using StreamPtr = std::unique_ptr<common::ByteStream>;
    struct Idle {
        StreamPtr stream;
        ra::BootTime since;
    };
    struct Waiter;
    class Permit;

    boost::asio::awaitable<ra::Sent> deliver(const ra::Delivery& delivery);
    boost::asio::awaitable<bool> acquire(ra::BootTime until);
    void release() noexcept;
    StreamPtr take_idle() noexcept;
    void keep(StreamPtr stream);
    void drop(StreamPtr stream) noexcept;
    void expired() noexcept override;  // looks after idle connections

    common::Worker& worker_;
    const std::size_t max_connections_;
    const std::size_t max_waiting_;
    const std::chrono::milliseconds idle_time_;
    HttpClientCounters& counters_;
    Dialer dialer_;
    std::deque<Idle> idle_;  // the most recently used at the back
    std::size_t in_use_ = 0;
    std::deque<Waiter*> waiting_;
    bool closed_ = false;
};

}  // namespace transports::http1
