#include "ra/base/bytes.h"

namespace ra {

std::string to_hex(ByteView octets) {
    constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    text.reserve(octets.size() * 2);
    for (const std::uint8_t octet : octets) {
        text.push_back(kDigits[octet >> 4]);
        text.push_back(kDigits[octet & 0x0f]);
    }
    return text;
}

}  // namespace ra
