#pragma once

#include <string>
#include <vector>

#include "transports/http1/message_reader.h"
#include "transports/http1/paths.h"

namespace transports::http1 {

/// Reads one request and judges its header (spec 03 1): every fault of HTTP has one status code.
class RequestReader final : public MessageReader<true> {
public:
    /// `aliases` outlives it (paths.h).
    RequestReader(std::size_t max_header, std::size_t max_body,
                  const std::vector<std::string>& aliases)
        : MessageReader{max_header, max_body}, aliases_{aliases} {}

    /// The status code to refuse with once feed() returned malformed.
    [[nodiscard]] unsigned refusal() const noexcept;

    /// The header has come, its body has not, and the client waits for "100 Continue".
    [[nodiscard]] bool wants_continue() const noexcept;

    [[nodiscard]] PathFacts take_path() noexcept { return std::move(path_); }
    [[nodiscard]] bool http_1_0() const noexcept { return version_ == 10; }

private:
    void on_request_impl(boost::beast::http::verb method, View method_text, View target,
                         int version, ErrorCode& error) override;
    void on_response_impl(int, View, int, ErrorCode&) override {}
    void on_header_impl(ErrorCode& error) override;

    const std::vector<std::string>& aliases_;
    PathFacts path_;
    int version_ = 11;
    bool post_ = false;
    bool served_ = false;
    unsigned refusal_ = 0;
};

}  // namespace transports::http1
