#include "transports/file/names.h"

#include <algorithm>

namespace transports::file {
namespace {

constexpr std::string_view kExtension = ".pki";
constexpr std::size_t kLongestName = 200;
constexpr std::uint8_t kSequence = 0x30;

std::string_view stem(std::string_view name) noexcept {
    if (name.ends_with(kExtension)) name.remove_suffix(kExtension.size());
    return name;
}

}  // namespace

bool is_message_name(std::string_view name) noexcept {
    return name.size() > kExtension.size() && name.size() <= kLongestName &&
           name.ends_with(kExtension) && name.front() != '.' &&
           std::all_of(name.begin(), name.end(),
                       [](char c) { return c > ' ' && c < 0x7f && c != '/'; });
}

Wholeness judge_octets(ra::ByteView octets) noexcept {
    if (octets.empty()) return Wholeness::unfinished;
    if (octets[0] != kSequence) return Wholeness::other;
    if (octets.size() == 1) return Wholeness::unfinished;
    std::size_t head = 2;
    std::size_t length = octets[1];
    if (length >= 0x80) {
        const std::size_t count = length & 0x7fU;
        if (count == 0 || count > 4) return Wholeness::other;
        if (octets.size() < head + count) return Wholeness::unfinished;
        length = 0;
        for (std::size_t i = 0; i < count; ++i) length = length << 8U | octets[head + i];
        head += count;
    }
    const std::size_t content = octets.size() - head;
    if (content < length) return Wholeness::unfinished;
    return content == length ? Wholeness::whole : Wholeness::surplus;
}

std::string numbered(std::string_view name, unsigned number) {
    if (number == 0) return std::string(name);
    return std::string(stem(name)) + '.' + std::to_string(number) + std::string(kExtension);
}

std::string reason_name(std::string_view name) { return std::string(stem(name)) + ".why"; }

}  // namespace transports::file
