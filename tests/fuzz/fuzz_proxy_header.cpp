#include <cstdlib>

#include "transports/common/proxy_header.h"

/// PROXY protocol v2: what parses has an address and no octet beyond what it says.

using namespace transports::common;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ra::ByteView octets{data, size};
    const auto header = parse_proxy_header(octets);
    if (!header) return 0;
    if (proxy_header_size(octets) != size || size > kProxyHeaderMost) std::abort();
    if (header->proxied == header->peer.address.empty()) std::abort();
    if (header->peer.tls == nullptr) return 0;
    const ra::TlsFacts& tls = *header->peer.tls;
    if (!tls.told_by_proxy || !tls.client_certificate.empty()) std::abort();
    for (const char c : tls.version + tls.server_name) {
        if (c <= 0x20 || c >= 0x7f) std::abort();
    }
    return 0;
}
