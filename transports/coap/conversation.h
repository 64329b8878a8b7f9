#pragma once

#include <cstdint>
#include <optional>
#include <variant>

#include "ra/exchange.h"
#include "transports/coap/message.h"

namespace transports::coap {

/// One delivery to a CoAP server without sockets: the body up in blocks, the answer down in blocks
/// (RFC 7959), one request at a time. The order of options and tokens are the shell's.
class Conversation {
public:
    struct Settings {
        std::size_t largest = 1152;  // message the transport takes whole
        bool reliable = false;       // then a body that fits goes in one piece
        std::size_t max_answer = 1UL << 20U;
    };
    /// The next request to send; views are the body's, or this object's.
    struct Ask {
        std::optional<Block> block1;
        std::optional<Block> block2;
        std::optional<std::uint32_t> size1;
        ra::ByteView echo;
        ra::ByteView payload;
        bool has_format = false;  // Content-Format goes with a payload
    };
    /// A response, as far as it matters.
    struct Heard {
        Code code = Code::empty;
        std::optional<std::uint32_t> content_format;
        std::optional<Block> block1;
        std::optional<Block> block2;
        ra::ByteView etag;
        ra::ByteView echo;
        ra::ByteView payload;
    };

    /// `body` outlives it.
    Conversation(ra::ByteView body, const Settings& settings) noexcept
        : body_{body}, settings_{settings} {}

    [[nodiscard]] Ask first() { return ask_block(0); }
    /// What follows from a response to the last request: another request, or the end.
    [[nodiscard]] std::variant<Ask, ra::Sent> heard(const Heard& response);

    /// The server may have the whole message: from now on a failure is Unknown (S-04).
    [[nodiscard]] bool whole_sent() const noexcept { return whole_sent_; }

private:
    [[nodiscard]] Ask ask_block(std::size_t offset);
    [[nodiscard]] std::variant<Ask, ra::Sent> take_answer(const Heard& response);
    [[nodiscard]] ra::Sent conclude(const Heard& response);

    ra::ByteView body_;
    Settings settings_;
    std::uint8_t szx_ = Block::kLargest;
    std::size_t offset_ = 0;  // of the block that was asked to be taken
    bool whole_sent_ = false;
    bool echoed_ = false;
    ra::Bytes echo_;
    Ask last_;
    ra::Bytes answer_;
    ra::Bytes etag_;
    Code code_ = Code::empty;
};

}  // namespace transports::coap
