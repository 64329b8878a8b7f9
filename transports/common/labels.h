#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string_view>

/// LABEL of a path (RFC 9811 3.4, RFC 9482 2.1), the same over every transport that has paths: one
/// that is taken by HTTP must be one by CoAP.
namespace transports::common {

inline constexpr std::size_t kMaxLabel = 64;

/// 1 to kMaxLabel octets, decoded, none of them a control character or a slash.
[[nodiscard]] inline bool is_label(std::string_view text) noexcept {
    return !text.empty() && text.size() <= kMaxLabel &&
           std::none_of(text.begin(), text.end(), [](char c) {
               const auto octet = static_cast<unsigned char>(c);
               return octet < 0x20 || octet == 0x7f || c == '/';
           });
}

/// The octet that the "%XX" (RFC 3986 2.1) at the beginning of `text` stands for; nullopt: none is
/// there.
[[nodiscard]] inline std::optional<char> read_percent(std::string_view text) noexcept {
    if (text.size() < 3 || text[0] != '%') return std::nullopt;
    const auto value = [](char digit) {
        if (digit >= '0' && digit <= '9') return digit - '0';
        if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
        if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
        return -1;
    };
    const int high = value(text[1]);
    const int low = value(text[2]);
    if (high < 0 || low < 0) return std::nullopt;
    return static_cast<char>(high * 16 + low);
}

}  // namespace transports::common
