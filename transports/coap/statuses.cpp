#include "transports/coap/statuses.h"

#include <algorithm>

namespace transports::coap {

Mapped map_reply(const ra::Reply& reply) noexcept {
    if (const auto* answered = std::get_if<ra::Answer>(&reply))
        return {Code::changed, kPkixCmp, {}, answered->der};
    if (const auto* accepted = std::get_if<ra::Accepted>(&reply))
        return {accepted->stored ? Code::created : Code::changed, {}, {}, {}};
    if (const auto* overloaded = std::get_if<ra::Overloaded>(&reply)) {
        // Max-Age of 5.03 says when to come again (RFC 7252 5.9.3.4).
        const auto seconds = std::clamp<std::int64_t>(overloaded->retry_after.count(), 1, 86'400);
        return {Code::service_unavailable, {}, static_cast<std::uint32_t>(seconds), {}};
    }
    const auto& not_cmp = std::get<ra::NotCmp>(reply);
    Mapped mapped;
    mapped.code = not_cmp.why == ra::NotCmp::Why::wrong_path ? Code::not_found : Code::bad_request;
    if (!not_cmp.der.empty()) mapped.content_format = kPkixCmp;
    mapped.content = not_cmp.der;
    return mapped;
}

unsigned http_status(Code code) noexcept {
    switch (code) {
        case Code::changed:
        case Code::content:
            return 200;
        case Code::created:
            return 201;
        case Code::bad_request:
        case Code::bad_option:
        case Code::request_incomplete:
            return 400;
        case Code::unauthorized:
            return 401;
        case Code::forbidden:
            return 403;
        case Code::not_found:
            return 404;
        case Code::method_not_allowed:
            return 405;
        case Code::not_acceptable:
            return 406;
        case Code::request_too_large:
            return 413;
        case Code::unsupported_format:
            return 415;
        case Code::internal_server_error:
            return 500;
        case Code::not_implemented:
            return 501;
        case Code::bad_gateway:
            return 502;
        case Code::service_unavailable:
            return 503;
        case Code::gateway_timeout:
            return 504;
        default:
            break;
    }
    switch (class_of(code)) {
        case 2:
            return 200;
        case 4:
            return 400;
        default:
            return 500;
    }
}

}  // namespace transports::coap
