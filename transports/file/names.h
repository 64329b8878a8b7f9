#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "ra/base/bytes.h"

/// What names and octets say of a file in a spool (RFC 9483 6.3). Pure.
namespace transports::file {

/// A file that is a message: "NAME.pki", not hidden, at most 200 printable characters, so that
/// others can be made of it. All others are none of ours.
[[nodiscard]] bool is_message_name(std::string_view name) noexcept;

/// Whether a file holds one whole DER value and nothing behind it, by its first octets.
enum class Wholeness : std::uint8_t {
    whole,
    unfinished,  // its writer may not be through with it
    surplus,     // octets behind the value
    other,       // no DER SEQUENCE begins like this
};
[[nodiscard]] Wholeness judge_octets(ra::ByteView octets) noexcept;

/// "a.pki" and 2: "a.2.pki"; 0: as it is.
[[nodiscard]] std::string numbered(std::string_view name, unsigned number);
/// "a.pki": "a.why", where the reason stands.
[[nodiscard]] std::string reason_name(std::string_view name);

}  // namespace transports::file
