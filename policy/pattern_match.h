#pragma once

#include <optional>

#include "policy/pattern.h"
#include "ra/crypto/public_key.h"

/// Patterns against what a message holds.
namespace policy {

/// Whose attributes `${sender.TYPE}` stands for.
struct Sender {
    ra::ByteView subject;            // Name TLV of the verified protection certificate; empty: none
    bool speaks_for_others = false;  // RA authority: ${sender.TYPE} matches any one value
};

/// The single value of an attribute type in the sender's subject; nullopt if there is none, there
/// are several, or it holds NUL or control characters (S-14).
[[nodiscard]] std::optional<std::string_view> sender_value(const Sender& sender, ra::ByteView type);

/// One whole value, octet by octet. `*` and a sender's own value stand for at least one octet, `*`
/// for none of `stops`.
[[nodiscard]] bool matches(const ValuePattern& pattern, std::string_view value,
                           const Sender& sender, std::string_view stops = {});
/// A Name TLV: RDNs in the pattern's order or exactly the other way round (RFC 4514 prints the last
/// first).
[[nodiscard]] bool matches(const NamePattern& pattern, ra::ByteView name, const Sender& sender);
/// A dNSName, without regard to case; as many labels as the pattern, `*` within one label.
[[nodiscard]] bool matches(const DnsPattern& pattern, std::string_view name, const Sender& sender);
/// An rfc822Name or uniformResourceIdentifier.
[[nodiscard]] bool matches(const TextPattern& pattern, std::string_view text, const Sender& sender);
/// An iPAddress of 4 or 16 octets.
[[nodiscard]] bool matches(const IpRange& range, ra::ByteView address) noexcept;
[[nodiscard]] bool matches(const KeyPattern& pattern, const ra::crypto::KeyFacts& key);

}  // namespace policy
