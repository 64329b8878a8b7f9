#include <cstdlib>

#include "ra/asn1/name.h"

/// Names and texts as they are shown: whatever comes in, no control character comes out.

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ra::ByteView octets{data, size};
    for (const std::string& shown :
         {ra::asn1::name_text(octets), ra::asn1::general_name_text(octets),
          ra::asn1::escaped(ra::as_text(octets))}) {
        for (const char c : shown) {
            const auto octet = static_cast<unsigned char>(c);
            if (octet < 0x20 || octet == 0x7f) std::abort();
        }
    }
    return 0;
}
