#pragma once

#include "ra/exchange.h"
#include "transports/coap/message.h"

/// CoAP and HTTP say the same with other numbers (spec 03 3.1, after RFC 8075).
namespace transports::coap {

/// What a reply is answered with: code, format, Max-Age. `content` stays the reply's.
struct Mapped {
    Code code = Code::internal_server_error;
    std::optional<std::uint16_t> content_format;
    std::optional<std::uint32_t> max_age;
    ra::ByteView content;
};
[[nodiscard]] Mapped map_reply(const ra::Reply& reply) noexcept;

/// The HTTP status code that says what `code` says: for RejectedByTransport.
[[nodiscard]] unsigned http_status(Code code) noexcept;

}  // namespace transports::coap
