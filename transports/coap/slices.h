#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "transports/coap/message.h"

/// Responses cut into blocks (RFC 7959 2.3), and what they weigh on the wire.
namespace transports::coap {

// Header, options and token of a response with a block of content, at most.
inline constexpr std::size_t kOverhead = 48;

/// SZX of the largest block of at most `octets`; the smallest there is if none fits.
[[nodiscard]] std::uint8_t szx_within(std::size_t octets) noexcept;

/// Content to send, in blocks where it must be.
struct Content {
    ra::ByteView octets;
    std::uint64_t number = 0;  // makes the ETag that holds its blocks together
    std::uint8_t szx = Block::kLargest;
    std::size_t largest = 0;  // message the transport takes whole; 0: a block
};

/// Puts the part of `content` that was asked for into `response`, which borrows it. False: there is
/// no such block.
[[nodiscard]] bool slice(Response& response, const Content& content, std::optional<Block> wanted);

/// Octets a response takes in a datagram, at most.
[[nodiscard]] std::size_t octets_of(const Response& response, std::size_t token) noexcept;

}  // namespace transports::coap
