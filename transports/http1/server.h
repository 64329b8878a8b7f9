#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ra/exchange.h"
#include "transports/common/listener.h"
#include "transports/http1/counters.h"
#include "transports/http1/request_reader.h"
#include "transports/http1/response_head.h"

namespace transports::http1 {

struct HttpServerSettings {
    ra::ListenerId listener{};
    std::vector<std::string> aliases;  // further base paths for old clients: "/", "/pkix/"
    std::vector<std::string> labels;   // named in a 404's text: what a client may ask for
    std::size_t max_header = 8 * 1024;
    std::size_t max_body = 256 * 1024;
    std::chrono::milliseconds idle_time{60'000};      // between requests
    std::chrono::milliseconds receive_time{15'000};   // first to last octet of a request
    std::chrono::milliseconds send_time{15'000};      // an answer the peer does not take
    std::chrono::milliseconds exchange_time{60'000};  // an arrival's deadline
    std::uint32_t max_requests = 0;                   // a connection; 0: any number
};

/// Where connections go that turn out to speak HTTP/2.
struct Http2Door {
    virtual ~Http2Door() = default;
    /// Serves until the connection ends; `first`: what was read of it already.
    virtual boost::asio::awaitable<void> serve_from(common::ByteStream& stream,
                                                    ra::Bytes first) = 0;
};

/// CMP over HTTP/1.0 and 1.1 (RFC 9811) on one worker: requests to an Exchange, its replies to
/// status codes. An exchange that has begun is never cancelled: when the client is gone, only its
/// reply is dropped.
class HttpServer final : public common::ConnectionHandler {
public:
    /// All but `settings` outlive it.
    HttpServer(common::Worker& worker, ra::Exchange& exchange, HttpServerSettings settings,
               HttpServerCounters& counters);

    boost::asio::awaitable<void> serve(common::ByteStream& stream) override;
    [[nodiscard]] ra::ByteView busy() const noexcept override;
    void retire() noexcept override { retired_ = true; }

    /// HTTP/2 by ALPN and, in cleartext, by its preface (prior knowledge) goes there. It outlives
    /// this; null: HTTP/1 only. On its worker.
    void set_http2(Http2Door* door) noexcept { http2_ = door; }

    /// On its worker, from now on; a request under way ends under what it began with.
    void use(HttpServerSettings settings);

    /// The text of a 404: the paths that exist.
    [[nodiscard]] const std::string& known_paths() const noexcept { return rules_->known_paths; }

private:
    enum class Next : std::uint8_t { request, done, close };
    /// What one request is served by.
    struct Rules {
        HttpServerSettings settings;
        std::string known_paths;
    };

    boost::asio::awaitable<void> serve_http1(common::ByteStream& stream);
    boost::asio::awaitable<bool> is_http2(common::ByteStream& stream, ra::Bytes& first);
    boost::asio::awaitable<Next> serve_ready(common::ByteStream& stream, std::uint32_t& served,
                                             ra::Bytes surplus);
    boost::asio::awaitable<Next> receive(common::ByteStream& stream, const Rules& rules,
                                         RequestReader& reader, ra::Bytes& surplus);
    boost::asio::awaitable<Next> answer(common::ByteStream& stream, const Rules& rules,
                                        RequestReader& reader, std::uint32_t& served);
    boost::asio::awaitable<bool> send(common::ByteStream& stream, const Rules& rules,
                                      HeadFacts facts, ra::ByteView content);
    boost::asio::awaitable<void> refuse(common::ByteStream& stream, const Rules& rules,
                                        unsigned status);
    boost::asio::awaitable<void> linger(common::ByteStream& stream);
    [[nodiscard]] bool ending() const noexcept { return retired_ || worker_.tasks().draining(); }

    common::Worker& worker_;
    ra::Exchange& exchange_;
    std::shared_ptr<const Rules> rules_;
    HttpServerCounters& counters_;
    bool retired_ = false;
    DateText date_;
    Http2Door* http2_ = nullptr;
};

}  // namespace transports::http1
