#pragma once

#include <functional>
#include <string>

#include "transports/common/listener.h"
#include "transports/http1/page_reader.h"
#include "transports/http1/response_head.h"

namespace transports::http1 {

/// One request for something else than CMP.
struct PageRequest {
    std::string method;  // "GET"; HEAD is asked as GET
    std::string path;    // as sent, without query
    std::string query;
    std::string host;  // without port; empty: none
    ra::Bytes body;
    ra::TraceId trace;
    const common::ByteStream& from;
};

struct Page {
    unsigned status = 200;
    std::string_view content_type = "text/plain; charset=utf-8";  // literal
    std::string body;
    std::string_view allow = "GET";  // with 405; literal
};

struct PageServerSettings {
    std::size_t max_header = 8 * 1024;
    std::size_t max_body = 1024 * 1024;
    std::chrono::milliseconds idle_time{60'000};
    std::chrono::milliseconds receive_time{10'000};
    std::chrono::milliseconds send_time{10'000};
};

/// HTTP/1.1 for what is no CMP: health, metrics, administration. On one worker.
class PageServer final : public common::ConnectionHandler {
public:
    using Serve = std::function<boost::asio::awaitable<Page>(PageRequest)>;

    /// `worker` outlives it. What `serve` throws is answered by 500 and reported.
    PageServer(common::Worker& worker, Serve serve, PageServerSettings settings = {})
        : worker_{worker}, serve_{std::move(serve)}, settings_{settings} {}

    boost::asio::awaitable<void> serve(common::ByteStream& stream) override;
    void retire() noexcept override { retired_ = true; }

private:
    boost::asio::awaitable<bool> receive(common::ByteStream& stream, PageReader& reader,
                                         ra::Bytes& surplus);
    boost::asio::awaitable<bool> answer(common::ByteStream& stream, PageReader& reader);
    boost::asio::awaitable<bool> send(common::ByteStream& stream, HeadFacts facts,
                                      ra::ByteView content, bool head_only = false);
    [[nodiscard]] bool ending() const noexcept { return retired_ || worker_.tasks().draining(); }

    common::Worker& worker_;
    Serve serve_;
    PageServerSettings settings_;
    bool retired_ = false;
    DateText date_;
};

}  // namespace transports::http1
