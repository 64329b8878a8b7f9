#include "transports/http1/request_reader.h"

#include <boost/beast/http/error.hpp>

namespace transports::http1 {

namespace http = boost::beast::http;

void RequestReader::on_request_impl(http::verb method, View, View target, int version,
                                    ErrorCode& error) {
    (void)error;
    version_ = version;
    post_ = method == http::verb::post;
    if (auto path = parse_path({target.data(), target.size()}, aliases_)) {
        path_ = std::move(*path);
        served_ = true;
    }
}

void RequestReader::on_header_impl(ErrorCode& error) {
    const bool old = http_1_0();
    const bool unclear_host = hosts_ > 1 || (hosts_ == 0 && !old);  // RFC 9112 3.2
    const bool unclear_framing = chunked_ && (old || has_length_);  // RFC 9112 6.1
    if (unclear_host || unclear_framing) {
        refusal_ = 400;
    } else if (unknown_coding_) {
        refusal_ = 501;
    } else if (!served_) {
        refusal_ = 404;
    } else if (!post_) {
        refusal_ = 405;
    } else if (expects_other_ && !old) {
        refusal_ = 417;
    } else if (!has_length_ && !chunked_) {
        refusal_ = 411;
    } else if (!cmp_media_type_) {
        refusal_ = 415;
    }
    if (refusal_ != 0) return refuse_header(error);
    check_length(error);
}

unsigned RequestReader::refusal() const noexcept {
    if (refusal_ != 0) return refusal_;
    if (too_large()) return 413;
    if (fault() == http::error::header_limit) return header_done() ? 400 : 431;
    if (fault() == http::error::bad_version) return 505;
    return 400;
}

bool RequestReader::wants_continue() const noexcept {
    return header_done() && expects_continue_ && !http_1_0();
}

}  // namespace transports::http1
