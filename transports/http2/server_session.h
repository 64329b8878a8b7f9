#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "transports/http1/paths.h"
#include "transports/http1/response_head.h"
#include "transports/http2/session.h"

namespace transports::http2 {

struct ServerLimits {
    std::uint32_t max_streams = 100;
    std::size_t max_header = 8 * 1024;
    std::size_t max_body = 256 * 1024;
};

/// The server's side of one connection: collects requests, judges their headers (spec 03 2), sends
/// answers. No I/O.
class ServerSession final : public Session {
public:
    /// `aliases` and `known_paths` (the text of a 404) outlive it.
    ServerSession(const ServerLimits& limits, const std::vector<std::string>& aliases,
                  const std::string& known_paths);

    struct Request {
        StreamId stream = 0;
        http1::PathFacts path;
        ra::Bytes body;
    };
    /// What has come whole since the last call.
    [[nodiscard]] std::vector<Request> take_requests() { return std::exchange(ready_, {}); }
    /// Status codes of the refusals sent since the last call.
    [[nodiscard]] std::vector<unsigned> take_refusals() { return std::exchange(refused_, {}); }

    /// False: the stream is gone.
    [[nodiscard]] bool respond(StreamId stream, const http1::HeadFacts& facts, ra::Bytes content);
    /// Nobody is going to look at it: the client may try elsewhere or later.
    void refuse_stream(StreamId stream) { reset(stream, ErrorCode::refused_stream); }

    [[nodiscard]] std::size_t streams() const noexcept { return streams_.size(); }
    /// When the oldest request that is not whole began, or was refused.
    [[nodiscard]] std::optional<ra::BootTime> receiving_since() const noexcept;
    /// Answers 408 to every request that began before `since`, and resets those already answered;
    /// how many.
    std::size_t time_out(ra::BootTime since, ra::BootTime now);

private:
    struct Stream {
        ra::BootTime begun{};
        http1::PathFacts path;
        ra::Bytes body;
        ra::Bytes content;  // of the answer
        std::size_t sent = 0;
        std::size_t header_octets = 0;
        std::size_t discarded = 0;  // content that came after the answer
        unsigned refusal = 0;
        bool served = false;
        bool post = false;
        bool cmp = false;
        bool expects = false;
        bool header_done = false;
        bool whole = false;
        bool answered = false;
    };

    bool on_headers_begin(StreamId id) noexcept override;
    bool on_header(StreamId id, std::string_view name, std::string_view value) noexcept override;
    bool on_headers_end(StreamId id, bool last) noexcept override;
    bool on_data(StreamId id, ra::ByteView octets) noexcept override;
    bool on_data_end(StreamId id) noexcept override;
    void on_closed(StreamId id, ErrorCode code) noexcept override;
    std::size_t read_content(StreamId id, std::span<std::uint8_t> to, bool& last) noexcept override;

    Stream* find(StreamId id) noexcept;
    void complete(StreamId id, Stream& stream);
    void refuse(StreamId id, Stream& stream, unsigned status);
    static unsigned judge(const Stream& stream) noexcept;

    ServerLimits limits_;
    const std::vector<std::string>& aliases_;
    const std::string& known_paths_;
    std::map<StreamId, Stream> streams_;
    std::vector<Request> ready_;
    std::vector<unsigned> refused_;
};

}  // namespace transports::http2
