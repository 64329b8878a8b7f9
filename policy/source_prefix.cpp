#include "policy/source_prefix.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <string>

namespace policy {

ra::Bytes source_prefix(std::string_view address) {
    constexpr std::size_t kV4 = 4, kV6 = 16, kPrefix = 8;
    constexpr std::array<std::uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    const std::string text(address.substr(0, address.find('%')));  // without a zone
    std::array<std::uint8_t, kV6> octets{};
    if (inet_pton(AF_INET, text.c_str(), octets.data()) == 1)
        return {octets.begin(), octets.begin() + kV4};
    if (inet_pton(AF_INET6, text.c_str(), octets.data()) != 1)
        return ra::to_bytes(ra::as_bytes(address));
    if (std::equal(kMapped.begin(), kMapped.end(), octets.begin()))
        return {octets.begin() + kMapped.size(), octets.end()};
    return {octets.begin(), octets.begin() + kPrefix};
}

}  // namespace policy
