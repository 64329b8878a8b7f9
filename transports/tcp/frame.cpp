#include "transports/tcp/frame.h"

#include <algorithm>

namespace transports::tcp {
namespace {

constexpr std::size_t kShortHead = 5;  // length, flag
constexpr std::size_t kLongHead = 7;   // length, version, flags, type

std::uint32_t big_endian(ra::ByteView four) noexcept {
    return (std::uint32_t{four[0]} << 24U) | (std::uint32_t{four[1]} << 16U) |
           (std::uint32_t{four[2]} << 8U) | std::uint32_t{four[3]};
}

void put(std::span<std::uint8_t> four, std::uint32_t value) noexcept {
    for (std::size_t i = 0; i < 4; ++i)
        four[i] = static_cast<std::uint8_t>(value >> (24U - 8U * static_cast<unsigned>(i)));
}

void append_16(ra::Bytes& to, std::size_t value) {
    to.push_back(static_cast<std::uint8_t>(value >> 8U));
    to.push_back(static_cast<std::uint8_t>(value & 0xffU));
}

}  // namespace

FrameReader::Stage FrameReader::read_head() {
    frame_.framing = head_[4] < kVersion ? Framing::rfc2510 : Framing::versioned;
    const bool is_long = frame_.framing == Framing::versioned;
    if (head_size_ < (is_long ? kLongHead : kShortHead)) return Stage::need_more;

    // The length counts everything after itself.
    const std::size_t length = big_endian(ra::ByteView{head_}.first(4));
    const std::size_t counted = is_long ? kLongHead - 4 : kShortHead - 4;
    frame_.version = is_long ? head_[4] : 0;
    frame_.close = is_long && (head_[5] & kCloseFlag) != 0;
    frame_.type = is_long ? head_[6] : head_[4];
    head_whole_ = true;
    if (length < counted) return Stage::malformed;
    wanted_ = length - counted;
    if (wanted_ > max_value_) return Stage::too_large;
    frame_.value.reserve(wanted_);
    return Stage::done;
}

FrameReader::Stage FrameReader::feed(ra::ByteView& octets) {
    while (!head_whole_ && !octets.empty()) {
        head_[head_size_++] = octets.front();
        octets = octets.subspan(1);
        if (head_size_ < kShortHead) continue;
        const Stage stage = read_head();
        if (stage == Stage::malformed || stage == Stage::too_large) return stage;
    }
    if (!head_whole_) return Stage::need_more;
    const std::size_t taken = std::min(octets.size(), wanted_ - frame_.value.size());
    ra::append(frame_.value, octets.first(taken));
    octets = octets.subspan(taken);
    return frame_.value.size() == wanted_ ? Stage::done : Stage::need_more;
}

FrameHead::FrameHead(Framing framing, FrameType type, std::size_t size, bool close) noexcept {
    const bool is_long = framing == Framing::versioned;
    size_ = is_long ? kLongHead : kShortHead;
    put(std::span{octets_}.first(4), static_cast<std::uint32_t>(size_ - 4 + size));
    if (is_long) {
        octets_[4] = kVersion;
        octets_[5] = close ? kCloseFlag : 0;
        octets_[6] = static_cast<std::uint8_t>(type);
    } else {
        octets_[4] = static_cast<std::uint8_t>(type);
    }
}

std::array<std::uint8_t, 8> poll_rep_value(std::uint32_t reference,
                                           std::uint32_t check_back) noexcept {
    std::array<std::uint8_t, 8> value{};
    put(std::span{value}.first(4), reference);
    put(std::span{value}.last(4), check_back);
    return value;
}

std::optional<PollRep> read_poll_rep(ra::ByteView value) noexcept {
    if (value.size() != 8) return std::nullopt;
    return PollRep{big_endian(value.first(4)), big_endian(value.last(4))};
}

std::optional<std::uint32_t> read_poll_req(ra::ByteView value) noexcept {
    if (value.size() != 4) return std::nullopt;
    return big_endian(value);
}

std::array<std::uint8_t, 4> poll_req_value(std::uint32_t reference) noexcept {
    std::array<std::uint8_t, 4> value{};
    put(value, reference);
    return value;
}

ra::Bytes error_value(Framing framing, FrameError error, ra::ByteView data, std::string_view text) {
    ra::Bytes value;
    if (framing == Framing::versioned) {
        append_16(value, static_cast<std::uint16_t>(error));
        append_16(value, data.size());
        ra::append(value, data);
    }
    ra::append(value, ra::as_bytes(text));
    return value;
}

std::optional<FrameError> read_error(const Frame& frame) noexcept {
    if (frame.framing != Framing::versioned || frame.value.size() < 2) return std::nullopt;
    return static_cast<FrameError>(frame.value[0] << 8U | frame.value[1]);
}

}  // namespace transports::tcp
