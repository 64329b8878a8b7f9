#include <algorithm>
#include <cstdlib>

#include "transports/file/names.h"

/// Names and first octets of files in a spool. First octet: how long the name is.

using namespace transports::file;

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::size_t length = std::min<std::size_t>(data[0], size - 1);
    const ra::ByteView rest{data + 1, size - 1};
    const std::string name{ra::as_text(rest.first(length))};
    const ra::ByteView octets = rest.subspan(length);
    if (is_message_name(name)) {
        require(name.find('/') == std::string::npos && name.front() != '.');
        require(numbered(name, 7).ends_with(".7.pki"));
        require(reason_name(name).ends_with(".why") && reason_name(name) != name);
        require(numbered(name, 999).size() < 256);
    }
    // No prefix of a whole message is whole, and none is more than that.
    if (judge_octets(octets) == Wholeness::whole) {
        for (std::size_t cut = 0; cut < octets.size(); cut += 1 + cut / 8)
            require(judge_octets(octets.first(cut)) == Wholeness::unfinished);
    }
    return 0;
}
