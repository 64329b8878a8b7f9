#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "ra/base/bytes.h"

namespace ra::asn1 {

/// Content octets of an OBJECT IDENTIFIER known when compiling; compares with a ByteView.
struct Oid {
    std::array<std::uint8_t, 16> octets{};
    std::uint8_t size = 0;

    [[nodiscard]] constexpr ByteView view() const noexcept { return {octets.data(), size}; }
    friend bool operator==(const Oid& a, ByteView b) noexcept { return equal(a.view(), b); }
};

/// From dotted form, when compiling: constexpr Oid kCommonName = oid("2.5.4.3").
consteval Oid oid(std::string_view dotted) {
    Oid made;
    std::uint64_t arcs[24]{};
    std::size_t count = 0;
    std::uint64_t value = 0;
    for (const char c : dotted) {
        if (c == '.') {
            arcs[count++] = value;
            value = 0;
        } else if (c >= '0' && c <= '9') {
            value = value * 10 + static_cast<std::uint64_t>(c - '0');
        } else {
            throw "not a dotted OID";
        }
    }
    arcs[count++] = value;
    arcs[1] += arcs[0] * 40;
    for (std::size_t i = 1; i < count; ++i) {
        unsigned septets = 1;
        while (septets < 10 && (arcs[i] >> (7U * septets)) != 0) ++septets;
        for (; septets != 0; --septets) {
            const auto bits = static_cast<std::uint8_t>((arcs[i] >> (7U * (septets - 1))) & 0x7fU);
            made.octets[made.size++] = static_cast<std::uint8_t>(septets > 1 ? bits | 0x80U : bits);
        }
    }
    return made;
}

/// Dotted form of content octets; "?" if malformed.
[[nodiscard]] std::string dotted(ByteView content);
/// Content octets of a dotted OID in a configuration; empty if malformed.
[[nodiscard]] Bytes parse_dotted(std::string_view text);
/// The name the RFCs give it ("implicitConfirm", "sha256WithRSAEncryption"), else dotted form.
[[nodiscard]] std::string oid_name(ByteView content);
/// Content octets of a name oid_name() knows; empty if unknown.
[[nodiscard]] Bytes oid_by_name(std::string_view name);

}  // namespace ra::asn1
