#pragma once

#include <string>

#include "transports/http1/message_reader.h"

namespace transports::http1 {

/// Reads one request for something else than CMP (administration): any of GET, HEAD, POST, PUT and
/// DELETE, with or without content. Faults of HTTP as in RequestReader.
class PageReader final : public MessageReader<true> {
public:
    using MessageReader::MessageReader;

    /// The status code to refuse with once feed() returned malformed.
    [[nodiscard]] unsigned refusal() const noexcept;

    [[nodiscard]] const std::string& method() const noexcept { return method_; }
    /// As sent, without query.
    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    [[nodiscard]] const std::string& query() const noexcept { return query_; }
    /// The Host field; empty: none (HTTP/1.0).
    [[nodiscard]] const std::string& host() const noexcept { return host_; }
    [[nodiscard]] bool http_1_0() const noexcept { return version_ == 10; }

private:
    void on_request_impl(boost::beast::http::verb method, View method_text, View target,
                         int version, ErrorCode& error) override;
    void on_response_impl(int, View, int, ErrorCode&) override {}
    void on_field_impl(Field name, View name_text, View value, ErrorCode& error) override;
    void on_header_impl(ErrorCode& error) override;

    std::string method_, path_, query_, host_;
    int version_ = 11;
    unsigned refusal_ = 0;
};

}  // namespace transports::http1
