#include "transports/common/proxy_header.h"

#include <doctest/doctest.h>

#include <functional>

#include "transports/common/networks.h"

using namespace transports::common;

TEST_SUITE_BEGIN("transports/common");

namespace {

ra::Bytes tlv(std::uint8_t type, std::string_view value) {
    ra::Bytes octets{type, static_cast<std::uint8_t>(value.size() >> 8U),
                     static_cast<std::uint8_t>(value.size())};
    ra::append(octets, ra::as_bytes(value));
    return octets;
}

std::string text(ra::ByteView octets) { return std::string{ra::as_text(octets)}; }

/// PP2_TYPE_SSL: client bits, verify, sub-values.
ra::Bytes ssl(std::uint8_t client, std::uint8_t verify, const ra::Bytes& values) {
    return tlv(0x20, std::string{static_cast<char>(client), 0, 0, 0, static_cast<char>(verify)} +
                         text(values));
}

/// A header from 192.0.2.7:4660 to 198.51.100.1:443 with these values behind.
ra::Bytes header(const ra::Bytes& values = {}, std::uint8_t command = 0x21,
                 std::uint8_t family = 0x11) {
    ra::Bytes octets{0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};
    const std::size_t size = 12 + values.size();
    ra::append(octets, ra::Bytes{command, family, static_cast<std::uint8_t>(size >> 8U),
                                 static_cast<std::uint8_t>(size)});
    ra::append(octets, ra::Bytes{192, 0, 2, 7, 198, 51, 100, 1, 0x12, 0x34, 0x01, 0xbb});
    ra::append(octets, values);
    return octets;
}

ra::Bytes joined(std::initializer_list<ra::Bytes> parts) {
    ra::Bytes all;
    for (const ra::Bytes& part : parts) ra::append(all, part);
    return all;
}

}  // namespace

TEST_CASE("S-41: PROXY header: what is accepted, and what it says") {
    const auto plain = parse_proxy_header(header());
    REQUIRE(plain.has_value());
    CHECK(plain->proxied);
    CHECK(plain->peer.address == "192.0.2.7");
    CHECK(plain->peer.port == 0x1234);
    CHECK(plain->peer.tls == nullptr);

    const auto local = parse_proxy_header(header({}, 0x20));
    REQUIRE(local.has_value());
    CHECK_FALSE(local->proxied);
    const auto unknown = parse_proxy_header(header({}, 0x21, 0x00));
    REQUIRE(unknown.has_value());
    CHECK_FALSE(unknown->proxied);

    const auto tls = parse_proxy_header(
        header(joined({tlv(0x02, "ra.example"), tlv(0x04, "padding"),
                       ssl(0x07, 0, joined({tlv(0x21, "TLSv1.3"), tlv(0x22, "device-7")}))})));
    REQUIRE(tls.has_value());
    REQUIRE(tls->peer.tls != nullptr);
    CHECK(tls->peer.tls->told_by_proxy);
    CHECK(tls->peer.tls->version == "TLSv1.3");
    CHECK(tls->peer.tls->server_name == "ra.example");
    CHECK(tls->peer.tls->client_certificate.empty());
    CHECK(ra::to_hex(tls->peer.tls->client_subject) ==
          "30133111300f06035504030c08" + ra::to_hex(ra::as_bytes("device-7")));

    ra::Bytes v6{header()};
    v6.resize(16);
    v6[13] = 0x21;
    v6[15] = 36;
    ra::Bytes addresses(36, 0);
    addresses[0] = 0x20;
    addresses[1] = 0x01;
    addresses[15] = 0x09;
    ra::append(v6, addresses);
    const auto six = parse_proxy_header(v6);
    REQUIRE(six.has_value());
    CHECK(six->peer.address == "2001::9");
}

TEST_CASE("S-41: PROXY header: a certificate counts only where the proxy verified one") {
    struct Row {
        const char* name;
        std::uint8_t client, verify;
        bool tls, subject;
    };
    const Row rows[] = {
        {"on this connection", 0x03, 0, true, true},
        {"in its session", 0x05, 0, true, true},
        {"not verified", 0x03, 1, true, false},
        {"none shown, though named", 0x01, 0, true, false},
        {"no TLS, though named", 0x06, 0, false, false},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        const auto parsed =
            parse_proxy_header(header(ssl(row.client, row.verify, tlv(0x22, "device-7"))));
        REQUIRE(parsed.has_value());
        CHECK((parsed->peer.tls != nullptr) == row.tls);
        if (parsed->peer.tls) CHECK(!parsed->peer.tls->client_subject.empty() == row.subject);
    }
}

TEST_CASE("S-41: PROXY header: what is refused") {
    struct Row {
        const char* name;
        std::function<void(ra::Bytes&)> change;
    };
    const Row rows[] = {
        {"version 1", [](ra::Bytes& h) { h = ra::to_bytes(ra::as_bytes("PROXY TCP4 1.2.3.4 ")); }},
        {"another signature", [](ra::Bytes& h) { h[4] = 1; }},
        {"version 3", [](ra::Bytes& h) { h[12] = 0x31; }},
        {"unknown command", [](ra::Bytes& h) { h[12] = 0x22; }},
        {"UDP", [](ra::Bytes& h) { h[13] = 0x12; }},
        {"a Unix socket", [](ra::Bytes& h) { h[13] = 0x31; }},
        {"IPv6 in the space of IPv4", [](ra::Bytes& h) { h[13] = 0x21; }},
        {"longer than it says", [](ra::Bytes& h) { h.push_back(0); }},
        {"shorter than it says", [](ra::Bytes& h) { h.pop_back(); }},
        {"addresses cut", [](ra::Bytes& h) { h.resize(27), h[15] = 11; }},
        {"a value without length", [](ra::Bytes& h) { h = header({0x04, 0x00}); }},
        {"a value over the end", [](ra::Bytes& h) { h = header({0x04, 0x00, 0x02, 0x61}); }},
        {"CRC32c wrong", [](ra::Bytes& h) { h = header(tlv(0x03, "abcd")); }},
        {"CRC32c cut", [](ra::Bytes& h) { h = header(tlv(0x03, "abc")); }},
        {"SSL cut", [](ra::Bytes& h) { h = header(tlv(0x20, "abc")); }},
        {"SSL twice",
         [](ra::Bytes& h) { h = header(joined({ssl(1, 0, {}), ssl(3, 0, tlv(0x22, "x"))})); }},
        {"CN too long",
         [](ra::Bytes& h) { h = header(ssl(3, 0, tlv(0x22, std::string(65, 'x')))); }},
        {"CN empty", [](ra::Bytes& h) { h = header(ssl(3, 0, tlv(0x22, ""))); }},
        {"control characters in the SNI", [](ra::Bytes& h) { h = header(tlv(0x02, "a\nb")); }},
        {"control characters in the version",
         [](ra::Bytes& h) { h = header(ssl(1, 0, tlv(0x21, "TLS\n1"))); }},
        {"over 4096 octets", [](ra::Bytes& h) { h = header(tlv(0x04, std::string(4080, 'x'))); }},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        ra::Bytes octets = header();
        row.change(octets);
        CHECK_FALSE(parse_proxy_header(octets).has_value());
    }
    const ra::Bytes good = header(ssl(3, 0, tlv(0x22, "device-7")));
    for (std::size_t size = 0; size < good.size(); ++size) {
        CHECK_FALSE(parse_proxy_header(ra::ByteView{good}.first(size)).has_value());
    }
}

TEST_CASE("PROXY header: CRC32c over the whole header") {
    // The check value of CRC32c, "123456789" -> e3069283, at work: computed with the field as zero.
    ra::Bytes octets = header(tlv(0x03, std::string(4, '\0')));
    std::uint32_t crc = ~0U;
    for (const std::uint8_t octet : octets) {
        crc ^= octet;
        for (int bit = 0; bit < 8; ++bit) crc = crc >> 1U ^ (crc & 1U ? 0x82f63b78U : 0U);
    }
    crc = ~crc;
    for (unsigned i = 0; i < 4; ++i)
        octets[octets.size() - 4 + i] = static_cast<std::uint8_t>(crc >> (24 - 8 * i));
    CHECK(parse_proxy_header(octets).has_value());
    octets[16] ^= 1;
    CHECK_FALSE(parse_proxy_header(octets).has_value());
}

TEST_CASE("Network: what is in it") {
    const auto ten = Network::parse("10.0.0.0/8");
    CHECK(ten.contains("10.255.0.1"));
    CHECK_FALSE(ten.contains("11.0.0.1"));
    CHECK_FALSE(ten.contains("::1"));
    CHECK_FALSE(ten.contains("no address"));
    const auto odd = Network::parse("192.0.2.128/25");
    CHECK(odd.contains("192.0.2.129"));
    CHECK_FALSE(odd.contains("192.0.2.127"));
    CHECK(Network::parse("::1").contains("::1"));
    CHECK(Network::parse("2001:db8::/32").contains("2001:db8:1::"));
    CHECK(Network::parse("0.0.0.0/0").contains("203.0.113.9"));
    for (const char* bad : {"", "10.0.0.0/33", "10.0.0.1/8", "10.0.0.0/", "10.0.0.0/8x", "host",
                            "::/129", "10.0.0/8"}) {
        CAPTURE(bad);
        CHECK_THROWS_AS((void)Network::parse(bad), std::invalid_argument);
    }
}

TEST_SUITE_END();
