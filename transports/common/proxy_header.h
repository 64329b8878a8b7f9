#pragma once

#include <cstddef>
#include <optional>

#include "ra/base/bytes.h"
#include "ra/exchange.h"

/// The header of the PROXY protocol, version 2, that a proxy in front of us writes before the
/// octets of its client (S-41). Pure. Version 1 is text without an end one could bound: not taken.
namespace transports::common {

/// So many octets say how long the whole is.
inline constexpr std::size_t kProxyHeadOctets = 16;
inline constexpr std::size_t kProxyHeaderMost = 4096;

/// Of the header that begins with these kProxyHeadOctets; nullopt: it is none, of another version,
/// or longer than kProxyHeaderMost.
[[nodiscard]] std::optional<std::size_t> proxy_header_size(ra::ByteView head);

struct ProxyHeader {
    /// False: the proxy speaks for itself (LOCAL, a health check) or does not know: the
    /// connection's own address holds.
    bool proxied = false;
    ra::PeerFacts peer;  // tls: what the proxy says of its client's connection, if it was TLS
};

/// A whole header. Strict: every length must add up, a CRC32c must be right, families other than
/// TCP over IPv4 and IPv6 are refused. nullopt: malformed.
[[nodiscard]] std::optional<ProxyHeader> parse_proxy_header(ra::ByteView whole);

}  // namespace transports::common
