#pragma once

#include <array>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "ra/base/arrival_facts.h"
#include "ra/base/bytes.h"
#include "ra/base/time.h"

/// The seam between what moves octets (transports) and what understands them (ra, policy).
/// Nothing here knows CMP's structure: one request is one DER PKIMessage, one answer another.
namespace ra {

namespace asio = boost::asio;

/// 128 random bits naming one arrival in every log line, audit record and X-Request-Id.
struct TraceId {
    std::array<std::uint8_t, 16> octets{};
    [[nodiscard]] std::string text() const { return to_hex(octets); }
    friend bool operator==(const TraceId&, const TraceId&) = default;
};

/// What the transport knows about its peer.
struct PeerFacts {
    std::string address;  // numeric, without port: "192.0.2.7", "2001:db8::1"; empty: none (file)
    std::uint16_t port = 0;
    std::shared_ptr<const TlsFacts> tls{};  // null: not over TLS
};

/// One received message, whole and owned.
struct Arrival {
    Bytes der;
    ListenerId listener{};
    std::string label;  // <name> of /.well-known/cmp/p/<name>; empty: none
    Operation advised = Operation::unspecified;
    PeerFacts peer;
    Deadline deadline{};
    TraceId trace;
};

/// A CMP answer, to be delivered as success of the transport (HTTP 200).
struct Answer {
    Bytes der;
};

/// An announcement was taken: 201 (stored) or 202, with empty content (RFC 9811 3.5).
struct Accepted {
    bool stored = false;
};

/// The exchange was no CMP exchange. `der` may hold an unprotected CMP error to send as content.
struct NotCmp {
    enum class Why : std::uint8_t {
        malformed,   // 400
        wrong_path,  // 404: the label is not served
    };
    Why why{};
    Bytes der;
};

/// Too much to do: nothing was looked at (503, Retry-After).
struct Overloaded {
    std::chrono::seconds retry_after{1};
};

using Reply = std::variant<Answer, Accepted, NotCmp, Overloaded>;

/// Whoever answers messages: the gateway, the lab CA, a test's misbehaving CA.
///
/// Transports call it and await the reply by the arrival's deadline; they never cancel an
/// exchange they have begun. Called on one thread; each worker has its own Exchange object.
struct Exchange {
    virtual ~Exchange() = default;
    virtual asio::awaitable<Reply> exchange(Arrival arrival) = 0;
};

/// One message to deliver upstream. The client renders its own path from (label, operation).
struct Delivery {
    ByteView der;  // borrowed until send() returns
    std::string_view label;
    Operation operation = Operation::unspecified;
    Deadline deadline{};
    TraceId trace;
    bool repeatable = false;  // sending it twice does no harm (genm, pollReq): retry on a dead
                              // pooled connection; else the connection is probed first (S-04)
};

/// How an attempt to deliver ended. Only NotSent proves that the peer saw nothing.
struct Delivered {
    Bytes der;  // the content of a 2xx with the right media type
};
struct NotSent {
    std::string_view why;  // literal: "name", "connect", "tls", "busy", "deadline"
    std::string detail{};  // for the log: which check of TLS failed
};
struct Unknown {
    std::string_view why;  // literal: "reset", "deadline", "malformed"; octets may have left
};
struct RejectedByTransport {
    unsigned status = 0;  // HTTP status code
    Bytes der;            // content, if it had the media type of CMP; else empty
};
using Sent = std::variant<Delivered, NotSent, Unknown, RejectedByTransport>;

/// The client half of a transport: one URL, its connections pooled; one object per worker.
struct Courier {
    virtual ~Courier() = default;
    virtual asio::awaitable<Sent> send(Delivery delivery) = 0;
    /// Reaches the peer as far as that goes without a message (connect, TLS). False: not by then.
    virtual asio::awaitable<bool> probe(Deadline until) = 0;
    /// Closes idle connections, lets open exchanges end.
    virtual void close() noexcept = 0;
};

}  // namespace ra
