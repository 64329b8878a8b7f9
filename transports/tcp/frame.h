#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "ra/base/bytes.h"

/// The frames of CMP directly over TCP (spec 03 section 4). Pure: octets in, events out.
namespace transports::tcp {

/// Octet 4 tells them apart: below 10 it is the flag of RFC 2510 5.2, else a version.
enum class Framing : std::uint8_t { rfc2510, versioned };

/// Message types of both framings; their numbers agree where both have one.
enum class FrameType : std::uint8_t {
    pki_req = 0,      // a PKIMessage (some toolkits: in both directions)
    poll_rep = 1,     // polling reference and time to check back
    poll_req = 2,     // polling reference
    fin_rep = 3,      // one octet 00: there is no answer
    partial_rep = 4,  // RFC 2510 only: poll_rep with a PKIMessage
    pki_rep = 5,      // a PKIMessage, the answer
    error_rep = 6,    // RFC 2510: text; versioned: error type, data, text
};

/// Frame-level errors (versioned framing).
enum class FrameError : std::uint16_t {
    version_not_supported = 0x0101,  // data: the highest version, one octet
    general_client_error = 0x0200,
    invalid_message_type = 0x0201,  // data: the type, one octet
    invalid_poll_id = 0x0202,       // data: the reference, four octets
    general_server_error = 0x0300,
};

inline constexpr std::uint8_t kVersion = 10;
inline constexpr std::uint8_t kCloseFlag = 1;

/// A whole frame.
struct Frame {
    Framing framing{};
    std::uint8_t version = kVersion;  // as received; 0 with rfc2510
    bool close = false;               // the sender will not use the connection any more
    std::uint8_t type = 0;            // FrameType, or one nobody knows
    ra::Bytes value;
};

/// Receives one frame from octets as they come. Nothing is allocated before the length is known to
/// be within the bound.
class FrameReader {
public:
    /// `max_value`: octets of a frame's value.
    explicit FrameReader(std::size_t max_value) noexcept : max_value_{max_value} {}

    enum class Stage : std::uint8_t {
        need_more,
        done,
        too_large,  // close the connection after an error
        malformed,  // a length that cannot hold its own head
    };
    /// Takes what belongs to this frame off the front of `octets`.
    [[nodiscard]] Stage feed(ra::ByteView& octets);

    /// Has any octet of the frame come?
    [[nodiscard]] bool begun() const noexcept { return head_size_ != 0; }
    /// After `done`; also the head's facts after `too_large` or `malformed`.
    [[nodiscard]] Frame& frame() noexcept { return frame_; }

private:
    [[nodiscard]] Stage read_head();

    std::size_t max_value_;
    std::array<std::uint8_t, 7> head_{};
    std::size_t head_size_ = 0;
    std::size_t wanted_ = 0;  // octets of the value; valid once the head is whole
    bool head_whole_ = false;
    Frame frame_;
};

/// The octets before a value of `size` octets.
class FrameHead {
public:
    FrameHead(Framing framing, FrameType type, std::size_t size, bool close) noexcept;
    [[nodiscard]] ra::ByteView octets() const noexcept { return {octets_.data(), size_}; }

private:
    std::array<std::uint8_t, 7> octets_{};
    std::size_t size_ = 0;
};

/// Value of a poll_rep: `check_back` in seconds, absolute (since 1970) with rfc2510 and relative
/// otherwise.
[[nodiscard]] std::array<std::uint8_t, 8> poll_rep_value(std::uint32_t reference,
                                                         std::uint32_t check_back) noexcept;
struct PollRep {
    std::uint32_t reference = 0;
    std::uint32_t check_back = 0;
};
/// nullopt: not eight octets.
[[nodiscard]] std::optional<PollRep> read_poll_rep(ra::ByteView value) noexcept;
/// The reference of a poll_req; nullopt: not four octets.
[[nodiscard]] std::optional<std::uint32_t> read_poll_req(ra::ByteView value) noexcept;
[[nodiscard]] std::array<std::uint8_t, 4> poll_req_value(std::uint32_t reference) noexcept;

/// Value of an error_rep. `data` only with the versioned framing.
[[nodiscard]] ra::Bytes error_value(Framing framing, FrameError error, ra::ByteView data,
                                    std::string_view text);
/// The error of an error_rep; nullopt: RFC 2510 has none, or too short to hold one. It may be one
/// that FrameError does not name.
[[nodiscard]] std::optional<FrameError> read_error(const Frame& frame) noexcept;

}  // namespace transports::tcp
