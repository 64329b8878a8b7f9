#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ra/base/bytes.h"
#include "ra/base/time.h"

struct nghttp2_session;

namespace transports::http2 {

using StreamId = std::int32_t;
using Fields = std::vector<std::pair<std::string_view, std::string_view>>;

/// How a stream ended (RFC 9113 7).
enum class ErrorCode : std::uint32_t {
    no_error = 0,
    protocol_error = 1,
    flow_control_error = 3,
    refused_stream = 7,
    cancel = 8,
    enhance_your_calm = 11,
};

/// What a peer may make us do without giving us work: tokens that come back with time. Rapid
/// resets, pings, settings, empty frames: whoever sends them faster is disconnected, having paid
/// more.
class Budget {
public:
    static constexpr double kMost = 1000;
    static constexpr double kASecond = 100;
    static constexpr double kAnswered = 10;  // earned by a whole exchange, on either side

    /// False: spent.
    [[nodiscard]] bool spend(double tokens, ra::BootTime now) noexcept;
    void earn(double tokens) noexcept;

private:
    double tokens_ = kMost;
    ra::BootTime since_{};
};

/// One HTTP/2 session (RFC 9113), either side, without I/O: octets in, octets out, events between.
/// Not thread-safe; nothing of it may be called from within an event but what says so.
class Session {
public:
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    virtual ~Session();

    /// Takes octets of the peer. False: the session is over once output() has been sent.
    [[nodiscard]] bool receive(ra::ByteView octets, ra::BootTime now);
    /// The next octets to send, valid until the next call; empty: none for now.
    [[nodiscard]] ra::ByteView output();
    /// The session has nothing more to say or to hear.
    [[nodiscard]] bool over() const noexcept;

    /// Tells the peer to begin no more streams: first the notice (RFC 9113 6.8), later, once what
    /// was under way has arrived, the end.
    void notify_shutdown();
    void go_away(ErrorCode code = ErrorCode::no_error);
    void reset(StreamId stream, ErrorCode code);

    struct Settings {
        std::uint32_t max_streams = 100;       // the peer may have open
        std::uint32_t max_header_list = 8192;  // octets, each field counting 32 more
        std::uint32_t window = 128 * 1024;     // of a stream
        std::uint32_t connection_window = 1024 * 1024;
    };

protected:
    enum class Side : std::uint8_t { server, client };
    Session(Side side, const Settings& settings);

    [[nodiscard]] nghttp2_session* native() const noexcept { return session_.get(); }
    [[nodiscard]] ra::BootTime now() const noexcept { return now_; }
    [[nodiscard]] Budget& budget() noexcept { return budget_; }

    // Events. None throws; false: the stream is reset for it (where there is one).
    virtual bool on_headers_begin(StreamId stream) noexcept = 0;
    virtual bool on_header(StreamId stream, std::string_view name,
                           std::string_view value) noexcept = 0;
    virtual bool on_headers_end(StreamId stream, bool last) noexcept = 0;
    virtual bool on_data(StreamId stream, ra::ByteView octets) noexcept = 0;
    virtual bool on_data_end(StreamId stream) noexcept = 0;
    virtual void on_closed(StreamId stream, ErrorCode code) noexcept = 0;
    virtual void on_go_away(StreamId last) noexcept { (void)last; }
    /// The header of what we send on a stream is about to go out: octets may reach the peer.
    virtual void on_header_sent(StreamId stream) noexcept { (void)stream; }
    /// Content to send on a stream: copies to `to`; `last`: nothing follows.
    virtual std::size_t read_content(StreamId stream, std::span<std::uint8_t> to,
                                     bool& last) noexcept = 0;

    /// Sends a header, then what read_content() gives if `content`. False: the stream is gone.
    bool submit_response(StreamId stream, const Fields& fields, bool content);
    /// Opens a stream; negative: no more may be opened.
    [[nodiscard]] StreamId submit_request(const Fields& fields, bool content);
    void submit_interim(StreamId stream, const Fields& fields);

private:
    struct Callbacks;
    struct Deleter {
        void operator()(nghttp2_session* session) const noexcept;
    };

    std::unique_ptr<nghttp2_session, Deleter> session_;
    ra::BootTime now_{};
    Budget budget_;
    bool failed_ = false;
};

}  // namespace transports::http2
