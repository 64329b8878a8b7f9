#include "transports/http1/page_reader.h"

#include <boost/beast/http/error.hpp>

namespace transports::http1 {

namespace http = boost::beast::http;

void PageReader::on_request_impl(http::verb method, View method_text, View target, int version,
                                 ErrorCode&) {
    version_ = version;
    method_.assign(method_text.data(), method_text.size());
    switch (method) {
        case http::verb::get:
        case http::verb::head:
        case http::verb::post:
        case http::verb::put:
        case http::verb::delete_:
            break;
        default:
            refusal_ = 501;
    }
    const std::string_view text{target.data(), target.size()};
    if (!text.starts_with('/')) {
        refusal_ = 400;
        return;
    }
    const auto question = text.find('?');
    path_ = text.substr(0, question);
    if (question != std::string_view::npos) query_ = text.substr(question + 1);
}

void PageReader::on_field_impl(Field name, View name_text, View value, ErrorCode& error) {
    if (name == Field::host) host_.assign(value.data(), value.size());
    MessageReader::on_field_impl(name, name_text, value, error);
}

void PageReader::on_header_impl(ErrorCode& error) {
    const bool old = http_1_0();
    if (refusal_ != 0) return refuse_header(error);
    const bool unclear_host = hosts_ > 1 || (hosts_ == 0 && !old);  // RFC 9112 3.2
    const bool unclear_framing = chunked_ && (old || has_length_);  // RFC 9112 6.1
    if (unclear_host || unclear_framing) {
        refusal_ = 400;
    } else if (unknown_coding_) {
        refusal_ = 501;
    } else if (expects_continue_ || expects_other_) {
        refusal_ = 417;  // clients of ours send none
    }
    if (refusal_ != 0) return refuse_header(error);
    check_length(error);
}

unsigned PageReader::refusal() const noexcept {
    if (refusal_ != 0) return refusal_;
    if (too_large()) return 413;
    if (fault() == http::error::header_limit) return header_done() ? 400 : 431;
    if (fault() == http::error::bad_version) return 505;
    return 400;
}

}  // namespace transports::http1
