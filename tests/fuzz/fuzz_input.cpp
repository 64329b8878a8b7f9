#include <cstdlib>

#include "ra/cmp/input.h"

/// Files as people have them: what comes out is not more than what went in.

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto messages = ra::cmp::read_messages(ra::Bytes{data, data + size});
    if (!messages.has_value()) return 0;
    std::size_t total = 0;
    for (const ra::Bytes& message : *messages) total += message.size();
    if (messages->empty() || total > size) std::abort();
    return 0;
}
