#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "ra/exchange.h"
#include "transports/common/byte_stream.h"
#include "transports/common/worker.h"
#include "transports/http1/counters.h"
#include "transports/http1/dialer.h"
#include "transports/http1/url.h"

namespace transports::http1 {

struct HttpClientSettings {
    HttpUrl url;
    /// Whether label and operation of a delivery are appended to the URL's path. Many CAs know
    /// neither; those under /.well-known/cmp do (spec 03 1.1).
    bool append_labels = false;
    std::size_t max_connections = 128;
    std::size_t max_waiting = 1024;  // deliveries waiting for a connection; more: NotSent "busy"
    std::size_t max_header = 16 * 1024;
    std::size_t max_body = 1024 * 1024;
    std::chrono::milliseconds connect_time{5'000};  // for each address
    std::chrono::milliseconds idle_time{30'000};    // a pooled connection is closed after it
    common::TlsContextPtr tls;                      // null: cleartext
    std::string tls_name;  // whose certificate is wanted; empty: that of the URL's host

    /// For `url`, with append_labels as its path suggests.
    [[nodiscard]] static HttpClientSettings for_url(HttpUrl url);
};

/// A client whose TLS can be replaced: files change while it runs.
struct TlsCourier : ra::Courier {
    /// On the worker: connections from now on are made with it; idle ones are closed. `tls` is not
    /// null, and the client was made with one.
    virtual void set_tls(common::TlsContextPtr tls) = 0;
};

/// CMP over HTTP/1.1 to one URL (RFC 9811), from one worker. Connections are kept alive and probed
/// before each use; redirections are not followed.
class HttpCourier final : public TlsCourier, private common::TimerNode {
public:
    /// `worker` and `counters` outlive it; it outlives its deliveries.
    HttpCourier(common::Worker& worker, HttpClientSettings settings, HttpClientCounters& counters);
    ~HttpCourier() override;

    boost::asio::awaitable<ra::Sent> send(ra::Delivery delivery) override;
    boost::asio::awaitable<bool> probe(ra::Deadline until) override;
    void close() noexcept override;

    void set_tls(common::TlsContextPtr tls) override;
    /// A connection somebody else opened and found to speak HTTP/1.1.
    void adopt(std::unique_ptr<common::ByteStream> stream);

private:
    using StreamPtr = std::unique_ptr<common::ByteStream>;
    struct Idle {
        StreamPtr stream;
        ra::BootTime since;
    };
    struct Waiter;
    class Permit;
    /// How one try on one connection ended.
    struct Attempt {
        ra::Sent sent;
        bool untouched = false;  // no octet left us
        bool silent = false;     // the peer closed without an octet of answer
        bool reusable = false;
    };

    boost::asio::awaitable<ra::Sent> deliver(const ra::Delivery& delivery);
    boost::asio::awaitable<bool> acquire(ra::BootTime until);
    void release() noexcept;
    StreamPtr take_idle() noexcept;
    void keep(StreamPtr stream);
    void drop(StreamPtr stream) noexcept;
    boost::asio::awaitable<Attempt> attempt(common::ByteStream& stream,
                                            const ra::Delivery& delivery);
    boost::asio::awaitable<Attempt> read_answer(common::ByteStream& stream);
    [[nodiscard]] std::string render_head(const ra::Delivery& delivery) const;
    void expired() noexcept override;  // looks after idle connections

    common::Worker& worker_;
    HttpClientSettings settings_;
    HttpClientCounters& counters_;
    std::string authority_;
    Dialer dialer_;
    std::deque<Idle> idle_;  // the most recently used at the back
    std::size_t in_use_ = 0;
    std::deque<Waiter*> waiting_;
    bool closed_ = false;
};

}  // namespace transports::http1
