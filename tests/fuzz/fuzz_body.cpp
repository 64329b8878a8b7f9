#include <cstdlib>

#include "ra/cmp/body.h"

/// One parse function of ra/cmp/body.h, CMPGATE_FUZZ_PARSE: a fault lies within the body, and what
/// parses does not parse with its last octet missing.

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::size_t kOffset = 1000;
    const ra::cmp::Limits limits;
    const auto parsed = ra::cmp::CMPGATE_FUZZ_PARSE({data, size}, kOffset, limits);
    if (!parsed.has_value()) {
        const std::size_t at = parsed.error().offset;
        if (at < kOffset || at > kOffset + size) std::abort();
        return 0;
    }
    if (ra::cmp::CMPGATE_FUZZ_PARSE({data, size - 1}, kOffset, limits).has_value()) std::abort();
    return 0;
}
