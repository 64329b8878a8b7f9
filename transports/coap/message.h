#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <vector>

#include "ra/base/bytes.h"

/// Requests and responses of CoAP as far as CMP needs them (RFC 7252, 7641, 7959, 9175), apart from
/// the library that puts them on the wire.
namespace transports::coap {

/// class * 32 + detail, as on the wire (RFC 7252 3).
enum class Code : std::uint8_t {
    empty = 0,
    get = 1,
    post = 2,
    created = 65,                 // 2.01
    valid = 67,                   // 2.03
    changed = 68,                 // 2.04
    content = 69,                 // 2.05
    continue_ = 95,               // 2.31
    bad_request = 128,            // 4.00
    unauthorized = 129,           // 4.01
    bad_option = 130,             // 4.02
    forbidden = 131,              // 4.03
    not_found = 132,              // 4.04
    method_not_allowed = 133,     // 4.05
    not_acceptable = 134,         // 4.06
    request_incomplete = 136,     // 4.08
    request_too_large = 141,      // 4.13
    unsupported_format = 143,     // 4.15
    internal_server_error = 160,  // 5.00
    not_implemented = 161,        // 5.01
    bad_gateway = 162,            // 5.02
    service_unavailable = 163,    // 5.03
    gateway_timeout = 164,        // 5.04
};

[[nodiscard]] constexpr unsigned class_of(Code code) noexcept {
    return static_cast<unsigned>(code) >> 5U;
}

/// Content-Formats (RFC 7252 12.3, RFC 9482 5).
inline constexpr std::uint16_t kPkixCmp = 259;
inline constexpr std::uint16_t kLinkFormat = 40;
inline constexpr std::uint16_t kTextPlain = 0;

/// The value of a Block1 or Block2 option (RFC 7959 2.2).
struct Block {
    static constexpr std::uint8_t kLargest = 6;  // 1024 octets
    static constexpr std::uint8_t kBert = 7;  // several of 1024 (RFC 8323 6); reliable transports

    std::uint32_t number = 0;
    bool more = false;
    std::uint8_t szx = kLargest;

    /// Octets of one block; with kBert of its unit.
    [[nodiscard]] constexpr std::size_t size() const noexcept {
        return std::size_t{16} << (szx >= kBert ? kLargest : szx);
    }
    [[nodiscard]] constexpr std::size_t offset() const noexcept { return number * size(); }
    [[nodiscard]] constexpr std::uint32_t value() const noexcept {
        return number << 4U | (more ? 8U : 0U) | szx;
    }
    [[nodiscard]] static constexpr Block of(std::uint32_t value) noexcept {
        return {value >> 4U, (value & 8U) != 0, static_cast<std::uint8_t>(value & 7U)};
    }
    friend bool operator==(const Block&, const Block&) = default;
};
/// The option has at most three octets.
inline constexpr std::uint32_t kMostBlocks = 1U << 20U;

/// Whom a message comes from: address and port, or one association (DTLS, TCP), told apart by the
/// first octet. Two messages of one endpoint may belong to each other, those of two never do.
struct Endpoint {
    std::array<std::uint8_t, 20> octets{};
    auto operator<=>(const Endpoint&) const = default;
};

/// One request. Views are the datagram's.
struct Request {
    Endpoint from;
    bool reliable = false;    // TCP, TLS: neither message types nor ids
    bool validated = false;   // it is known to be where it says (DTLS, TCP)
    bool confirmable = true;  // CON, not NON
    std::uint16_t message_id = 0;
    ra::ByteView token;
    Code code = Code::empty;
    std::vector<std::string_view> path;  // Uri-Path, one a segment
    std::optional<std::uint32_t> content_format;
    std::optional<std::uint32_t> accept;
    std::optional<std::uint32_t> observe;
    std::optional<Block> block1;
    std::optional<Block> block2;
    std::optional<std::uint64_t> size1;
    ra::ByteView request_tag;
    ra::ByteView echo;
    ra::ByteView payload;
    std::size_t octets = 0;      // of the datagram, at least
    std::size_t largest = 1152;  // response the transport can carry whole
};

/// One response, to the request's token.
struct Response {
    Code code = Code::empty;
    std::optional<std::uint16_t> content_format;
    std::optional<std::uint32_t> observe;
    std::optional<std::uint32_t> max_age;
    std::optional<Block> block1;
    std::optional<Block> block2;
    std::optional<std::uint32_t> size1;
    std::optional<std::uint32_t> size2;
    ra::Bytes etag;
    ra::Bytes echo;
    ra::ByteView payload;  // of what the desk keeps, or of a literal: used at once
};

}  // namespace transports::coap
