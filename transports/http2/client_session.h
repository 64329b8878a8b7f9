#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "transports/http2/session.h"

namespace transports::http2 {

struct ClientLimits {
    std::size_t max_header = 16 * 1024;
    std::size_t max_body = 1024 * 1024;
};

/// One request and what became of it.
struct Call {
    enum class End : std::uint8_t {
        open,
        answered,     // status and body
        unprocessed,  // the peer proved that it did not look at it: REFUSED_STREAM, above GOAWAY's
                      // last
        unsent,       // no octet of it left
        broken,       // nobody knows
        malformed,    // an answer we cannot take
    };

    ra::Bytes content;     // of the request
    std::size_t read = 0;  // of it, by the session
    bool left = false;     // its header has gone out
    bool heard = false;    // anything of an answer came
    unsigned status = 0;
    bool cmp = false;  // the answer has the media type of CMP
    ra::Bytes body;
    std::size_t header_octets = 0;
    bool header_done = false;
    End end = End::open;
    std::function<void()> ended;  // called once, when `end` is set
};

/// The client's side of one connection. No I/O.
class ClientSession final : public Session {
public:
    explicit ClientSession(const ClientLimits& limits);

    /// Queues a request; negative: this connection opens no more streams. `call` is told its end.
    [[nodiscard]] StreamId call(const Fields& fields, std::shared_ptr<Call> call);
    /// Nobody waits for its end any more.
    void abandon(StreamId stream);

    /// The connection is gone: ends every call.
    void disconnected();

    [[nodiscard]] std::size_t calls() const noexcept { return calls_.size(); }
    /// The peer takes no more streams.
    [[nodiscard]] bool going_away() const noexcept { return going_away_; }

private:
    bool on_headers_begin(StreamId) noexcept override { return true; }
    bool on_header(StreamId id, std::string_view name, std::string_view value) noexcept override;
    bool on_headers_end(StreamId id, bool last) noexcept override;
    bool on_data(StreamId id, ra::ByteView octets) noexcept override;
    bool on_data_end(StreamId id) noexcept override;
    void on_closed(StreamId id, ErrorCode code) noexcept override;
    void on_go_away(StreamId last) noexcept override;
    void on_header_sent(StreamId id) noexcept override;
    std::size_t read_content(StreamId id, std::span<std::uint8_t> to, bool& last) noexcept override;

    Call* find(StreamId id) noexcept;
    static void end(Call& call, Call::End how);
    void answered(Call& call);

    ClientLimits limits_;
    std::map<StreamId, std::shared_ptr<Call>> calls_;
    bool going_away_ = false;
    std::optional<StreamId> last_processed_;
};

}  // namespace transports::http2
