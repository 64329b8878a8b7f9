#include <cstdlib>

#include "ra/cmp/body.h"
#include "ra/cmp/build.h"
#include "ra/cmp/inspect.h"

/// PKIMessage and, where it parses, its body: a message put together again from its views has the
/// octets it came with; a fault lies within the message; inspect prints whatever parsed.

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ra::ByteView der{data, size};
    const ra::cmp::Limits limits;
    static_cast<void>(ra::cmp::salvage(der, limits));
    const auto message = ra::cmp::parse_pki_message(der, limits);
    if (!message.has_value()) {
        require(message.error().offset <= size);
        return 0;
    }
    // A protection of no octets is left out when built, so it is the one exception.
    const ra::ByteView protection = message->protection.value_or(ra::ByteView{});
    if (!message->protection || !protection.empty()) {
        require(ra::equal(ra::cmp::build_pki_message(message->header.whole, message->body,
                                                     protection, message->extra_certs),
                          der));
    }
    const auto checked = ra::cmp::check_body(*message, limits);
    if (!checked.has_value()) require(checked.error().offset <= size);
    require(!ra::cmp::inspect_text(*message, limits).empty());
    require(!ra::cmp::inspect_json(*message, limits).empty());
    return 0;
}
