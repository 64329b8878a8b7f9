#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ra/base/bytes.h"

/// What rules of a profile are written in. Every parse() runs when configuration is read and throws
/// std::invalid_argument with a message that says what was meant; matching is in match.h.
namespace policy {

/// A text to match one value with: literal parts, at most one `*`, and `${sender.TYPE}`.
///
/// Parsed before anything is substituted, so that no octet of a certificate can become syntax
/// (S-14).
struct ValuePattern {
    struct Part {
        enum class Kind : std::uint8_t { literal, any, sender } kind{};
        std::string literal;
        ra::Bytes sender_type;  // OID content of the attribute in the sender's subject
    };
    std::vector<Part> parts;

    [[nodiscard]] static ValuePattern parse(std::string_view text);
    /// Does it depend on who asks?
    [[nodiscard]] bool binds_sender() const noexcept;
};

/// A distinguished name, RDN by RDN in the order of the certificate:
/// "CN=${sender.CN},OU=Line 3,O=Example". "*": any name. "": the NULL-DN. `\` escapes `, + = \ *
/// $`. Attribute types: the short names of RFC 4514, serialNumber, dnQualifier, emailAddress …, or
/// dotted.
struct NamePattern {
    struct Attribute {
        ra::Bytes type;  // OID content
        ValuePattern value;
    };
    std::vector<Attribute> rdns;  // single-valued only
    bool any = false;
    std::string text;

    [[nodiscard]] static NamePattern parse(std::string_view text);
    [[nodiscard]] bool binds_sender() const noexcept;
};

/// A DNS name; a `*` stands for one label, or part of one: "*.line3.example",
/// "${sender.CN}.example".
struct DnsPattern {
    std::vector<ValuePattern> labels;
    std::string text;

    [[nodiscard]] static DnsPattern parse(std::string_view text);
    [[nodiscard]] bool binds_sender() const noexcept;
};

/// An rfc822Name or URI; `*` stands for a run without any of `@ / : ? #`.
struct TextPattern {
    ValuePattern value;
    std::string text;

    [[nodiscard]] static TextPattern parse(std::string_view text);
};

/// "192.0.2.0/24", "2001:db8::/32", or one address.
struct IpRange {
    ra::Bytes address;  // 4 or 16 octets
    unsigned prefix = 0;
    std::string text;

    [[nodiscard]] static IpRange parse(std::string_view text);
};

/// "ec:P-256", "ed25519", "rsa>=3072", "rsa:4096", "ml-dsa-65": family, then curve or size.
struct KeyPattern {
    std::string family;  // lower case, as ra::crypto::KeyFacts
    std::string curve;   // empty: any
    unsigned min_bits = 0;
    std::optional<unsigned> bits;
    std::string text;

    [[nodiscard]] static KeyPattern parse(std::string_view text);
};

/// OID content of "CN", "serialNumber", "2.5.4.10"; empty: unknown.
[[nodiscard]] ra::Bytes attribute_type(std::string_view name);

}  // namespace policy
