#pragma once

#include <string>
#include <vector>

#include "ra/asn1/der_reader.h"
#include "ra/base/bytes.h"
#include "ra/base/result.h"

/// Names as policy compares them (RFC 5280 7.1).
namespace policy {

/// AttributeTypeAndValue of a Name, and which RDN it stands in. Views into the Name.
struct NameAttribute {
    std::size_t rdn = 0;
    ra::ByteView type;  // OID content
    ra::asn1::Tag tag{};
    ra::ByteView value;  // content
};

/// The attributes of a Name TLV in order. Errors: of the DER; too_many (over 32 attributes).
[[nodiscard]] ra::Result<std::vector<NameAttribute>> read_name(ra::ByteView name);

/// The same name: octet by octet, else RDN by RDN with PrintableString and UTF8String compared
/// without regard to ASCII case and to repeated, leading or trailing spaces. A Name that does not
/// parse equals only its own octets.
[[nodiscard]] bool same_name(ra::ByteView a, ra::ByteView b);

/// One way to write all names that same_name() holds for the same; a Name that does not parse is
/// written as it is. For digests, not for people.
[[nodiscard]] ra::Bytes canonical_name(ra::ByteView name);

/// The text of a PrintableString, UTF8String or IA5String without NUL and control characters;
/// nullopt for anything else: such a value matches no pattern (S-14).
[[nodiscard]] std::optional<std::string_view> plain_text(ra::asn1::Tag tag,
                                                         ra::ByteView value) noexcept;

/// For people: "CN=dev1,O=Example", control characters escaped.
[[nodiscard]] std::string name_text(ra::ByteView name);

}  // namespace policy
