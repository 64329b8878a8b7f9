#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ra {

/// Octets we own.
using Bytes = std::vector<std::uint8_t>;

/// Octets somebody else owns; valid only as long as their owner.
using ByteView = std::span<const std::uint8_t>;

/// The octets of a text, without copying.
inline ByteView as_bytes(std::string_view text) noexcept {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

/// The text made of these octets, without copying. No character set is implied.
inline std::string_view as_text(ByteView octets) noexcept {
    return {reinterpret_cast<const char*>(octets.data()), octets.size()};
}

inline Bytes to_bytes(ByteView octets) { return {octets.begin(), octets.end()}; }

/// Not constant in time: for public values only (see equal_secret in secret.h).
inline bool equal(ByteView a, ByteView b) noexcept {
    return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size()) == 0);
}

inline void append(Bytes& to, ByteView octets) {
    to.insert(to.end(), octets.begin(), octets.end());
}

/// Lower-case hexadecimal, two digits an octet.
std::string to_hex(ByteView octets);

}  // namespace ra
