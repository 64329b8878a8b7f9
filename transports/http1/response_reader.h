#pragma once

#include "transports/http1/message_reader.h"

namespace transports::http1 {

/// Reads one response. Interim ones (1xx) end like any other: the caller reads on.
class ResponseReader final : public MessageReader<false> {
public:
    ResponseReader(std::size_t max_header, std::size_t max_body)
        : MessageReader{max_header, max_body} {}

    [[nodiscard]] unsigned status() const noexcept { return status_; }
    /// Its content has the media type of CMP.
    [[nodiscard]] bool is_cmp() const noexcept { return cmp_media_type_; }

    /// The peer closed: `done` if the message was to end that way, else malformed (cut short).
    [[nodiscard]] Stage feed_end();

private:
    void on_request_impl(boost::beast::http::verb, View, View, int, ErrorCode&) override {}
    void on_response_impl(int status, View reason, int version, ErrorCode& error) override;
    void on_header_impl(ErrorCode& error) override;

    unsigned status_ = 0;
};

}  // namespace transports::http1
