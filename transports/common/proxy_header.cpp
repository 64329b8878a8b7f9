#include "transports/common/proxy_header.h"

#include <algorithm>
#include <array>
#include <boost/asio/ip/address.hpp>

namespace transports::common {

namespace asio = boost::asio;

namespace {

constexpr std::array<std::uint8_t, 12> kSignature{0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
                                                  0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};
constexpr std::uint8_t kLocal = 0x20;  // version 2, command LOCAL
constexpr std::uint8_t kProxy = 0x21;
constexpr std::uint8_t kUnknownFamily = 0x00;
constexpr std::uint8_t kTcp4 = 0x11;
constexpr std::uint8_t kTcp6 = 0x21;

constexpr std::uint8_t kTypeAuthority = 0x02;  // the SNI
constexpr std::uint8_t kTypeCrc32c = 0x03;
constexpr std::uint8_t kTypeSsl = 0x20;
constexpr std::uint8_t kSslVersion = 0x21;
constexpr std::uint8_t kSslCommonName = 0x22;
constexpr unsigned kClientSsl = 0x01;
constexpr unsigned kClientCertificate = 0x02 | 0x04;  // on this connection, or in its session
constexpr std::size_t kMostCommonName = 64;           // ub-common-name (RFC 5280 A.1)

std::size_t number(ra::ByteView octets) noexcept {
    std::size_t value = 0;
    for (const std::uint8_t octet : octets) value = value << 8U | octet;
    return value;
}

bool is_plain_text(ra::ByteView octets) noexcept {
    return std::ranges::all_of(octets, [](std::uint8_t c) { return c > 0x20 && c < 0x7f; });
}

/// CRC32c over the header with the field itself as zero.
std::uint32_t crc32c(ra::ByteView whole, std::size_t field) noexcept {
    std::uint32_t crc = ~0U;
    for (std::size_t i = 0; i < whole.size(); ++i) {
        crc ^= i >= field && i < field + 4 ? 0U : whole[i];
        for (int bit = 0; bit < 8; ++bit) crc = crc >> 1U ^ (crc & 1U ? 0x82f63b78U : 0U);
    }
    return ~crc;
}

/// Each type, length and value; false: the lengths do not add up, or `take` refused.
template <class Take>
bool each_value(ra::ByteView values, Take take) {
    while (!values.empty()) {
        if (values.size() < 3) return false;
        const std::size_t size = number(values.subspan(1, 2));
        if (size > values.size() - 3) return false;
        if (!take(values[0], values.subspan(3, size))) return false;
        values = values.subspan(3 + size);
    }
    return true;
}

/// Name ::= SEQUENCE { SET { SEQUENCE { id-at-commonName, UTF8String } } }
ra::Bytes common_name(ra::ByteView text) {
    const auto size = static_cast<std::uint8_t>(text.size());
    ra::Bytes name{0x30, static_cast<std::uint8_t>(size + 11),
                   0x31, static_cast<std::uint8_t>(size + 9),
                   0x30, static_cast<std::uint8_t>(size + 7),
                   0x06, 0x03,
                   0x55, 0x04,
                   0x03, 0x0c,
                   size};
    ra::append(name, text);
    return name;
}

/// What the proxy says of its client's TLS. A certificate counts only as verified.
bool read_ssl(ra::ByteView value, ra::TlsFacts& facts, bool& is_tls) {
    if (value.size() < 5) return false;
    is_tls = (value[0] & kClientSsl) != 0;
    const bool verified = number(value.subspan(1, 4)) == 0;
    const bool certificate = (value[0] & kClientCertificate) != 0 && verified && is_tls;
    return each_value(value.subspan(5), [&](std::uint8_t type, ra::ByteView text) {
        if (type == kSslVersion) {
            if (!is_plain_text(text) || text.size() > 16) return false;
            facts.version = ra::as_text(text);
        } else if (type == kSslCommonName && certificate) {
            if (text.empty() || text.size() > kMostCommonName) return false;
            facts.client_subject = common_name(text);
        }
        return true;
    });
}

bool read_values(ra::ByteView whole, std::size_t from, ra::PeerFacts& peer) {
    auto facts = std::make_shared<ra::TlsFacts>();
    facts->told_by_proxy = true;
    bool is_tls = false;
    bool seen_ssl = false;
    const bool good = each_value(whole.subspan(from), [&](std::uint8_t type, ra::ByteView value) {
        switch (type) {
            case kTypeAuthority:
                if (!is_plain_text(value) || value.size() > 255) return false;
                facts->server_name = ra::as_text(value);
                return true;
            case kTypeCrc32c:
                return value.size() == 4 &&
                       number(value) ==
                           crc32c(whole, static_cast<std::size_t>(value.data() - whole.data()));
            case kTypeSsl:
                if (seen_ssl) return false;  // which of the two is meant?
                seen_ssl = true;
                return read_ssl(value, *facts, is_tls);
            default:
                return true;
        }
    });
    if (good && is_tls) peer.tls = std::move(facts);
    return good;
}

}  // namespace

std::optional<std::size_t> proxy_header_size(ra::ByteView head) {
    if (head.size() < kProxyHeadOctets || !ra::equal(head.first(kSignature.size()), kSignature))
        return std::nullopt;
    if (head[12] != kLocal && head[12] != kProxy) return std::nullopt;
    const std::size_t size = kProxyHeadOctets + number(head.subspan(14, 2));
    if (size > kProxyHeaderMost) return std::nullopt;
    return size;
}

std::optional<ProxyHeader> parse_proxy_header(ra::ByteView whole) {
    const auto size = proxy_header_size(whole);
    if (!size || *size != whole.size()) return std::nullopt;
    ProxyHeader header;
    if (whole[12] == kLocal) return header;  // the rest is to be skipped
    const std::uint8_t family = whole[13];
    if (family == kUnknownFamily) return header;
    const std::size_t address = family == kTcp4 ? 4 : family == kTcp6 ? 16 : 0;
    const std::size_t values = kProxyHeadOctets + 2 * address + 4;
    if (address == 0 || whole.size() < values) return std::nullopt;

    const ra::ByteView source = whole.subspan(kProxyHeadOctets, address);
    if (family == kTcp4) {
        asio::ip::address_v4::bytes_type octets{};
        std::ranges::copy(source, octets.begin());
        header.peer.address = asio::ip::make_address_v4(octets).to_string();
    } else {
        asio::ip::address_v6::bytes_type octets{};
        std::ranges::copy(source, octets.begin());
        const auto v6 = asio::ip::make_address_v6(octets);
        header.peer.address = v6.is_v4_mapped()
                                  ? asio::ip::make_address_v4(asio::ip::v4_mapped, v6).to_string()
                                  : v6.to_string();
    }
    const std::size_t port_at = kProxyHeadOctets + 2 * address;
    header.peer.port = static_cast<std::uint16_t>(number(whole.subspan(port_at, 2)));
    header.proxied = true;
    if (!read_values(whole, values, header.peer)) return std::nullopt;
    return header;
}

}  // namespace transports::common
