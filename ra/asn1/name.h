#pragma once

#include <string>
#include <vector>

#include "ra/asn1/der_reader.h"

namespace ra::asn1 {

/// One AttributeTypeAndValue of a Name.
struct NameAttribute {
    ByteView type;     // OID content
    Tag tag{};         // string type of the value
    ByteView value;    // content octets
    std::string text;  // as UTF-8; empty if the string type is not one of text
};
/// RelativeDistinguishedName: usually one attribute.
using Rdn = std::vector<NameAttribute>;

/// RDNSequence of a Name TLV, in the order of the encoding. Understands UTF8String,
/// PrintableString, IA5String, T61String (as Latin-1) and BMPString. Errors: those of the DER;
/// bad_value (characters the type does not have).
[[nodiscard]] Result<std::vector<Rdn>> parse_name(ByteView name);

/// RFC 4514-like, in the order of the encoding ("CN=dev,O=Example"), special and control characters
/// escaped; "?" if malformed; "" for the NULL-DN.
[[nodiscard]] std::string name_text(ByteView name);
/// The same for a GeneralName TLV: directoryName plain, others with their kind ("dns:host").
[[nodiscard]] std::string general_name_text(ByteView general_name);

/// Text with control characters, quotes and backslashes made visible: for logs.
[[nodiscard]] std::string escaped(std::string_view text);

}  // namespace ra::asn1
