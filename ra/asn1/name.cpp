#include "ra/asn1/name.h"

#include <algorithm>

#include "ra/asn1/oids.h"

namespace ra::asn1 {
namespace {

constexpr Tag kT61String = static_cast<Tag>(0x14);
constexpr Tag kBmpString = static_cast<Tag>(0x1e);

void append_utf8(std::string& text, unsigned code) {
    const auto put = [&text](unsigned octet) { text.push_back(static_cast<char>(octet)); };
    if (code < 0x80) {
        put(code);
    } else if (code < 0x800) {
        put(0xc0U | (code >> 6U));
        put(0x80U | (code & 0x3fU));
    } else {
        put(0xe0U | (code >> 12U));
        put(0x80U | ((code >> 6U) & 0x3fU));
        put(0x80U | (code & 0x3fU));
    }
}

bool is_printable_string(std::uint8_t c) noexcept {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    // '*', '&', '_' and '@' are not in the set but in many certificates.
    return letter || std::string_view{" '()+,-./:=?*&_@"}.find(static_cast<char>(c)) !=
                         std::string_view::npos;
}

Result<std::string> text_of(Tag tag, ByteView value, ByteView tlv) {
    std::string text;
    switch (tag) {
        case Tag::utf8_string: {
            DerReader reader{tlv};
            RA_TRY(const ByteView checked, reader.read_utf8("name value"));
            return std::string(as_text(checked));
        }
        case Tag::printable_string:
            if (!std::all_of(value.begin(), value.end(), is_printable_string))
                return fail(Errc::bad_value, "PrintableString");
            return std::string(as_text(value));
        case Tag::ia5_string:
            if (std::any_of(value.begin(), value.end(), [](std::uint8_t c) { return c > 0x7f; }))
                return fail(Errc::bad_value, "IA5String");
            return std::string(as_text(value));
        case kT61String:
            for (const std::uint8_t c : value) append_utf8(text, c);
            return text;
        case kBmpString:
            if (value.size() % 2 != 0) return fail(Errc::bad_value, "BMPString");
            for (std::size_t i = 0; i < value.size(); i += 2) {
                const unsigned code = (unsigned{value[i]} << 8U) | value[i + 1];
                if (code >= 0xd800 && code < 0xe000) return fail(Errc::bad_value, "BMPString");
                append_utf8(text, code);
            }
            return text;
        default:
            return text;
    }
}

/// Octets of the UTF-8 character `text` begins with, 0 if it begins with none; `code` is set.
std::size_t read_utf8(std::string_view text, unsigned& code) noexcept {
    const auto octet = [&text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned lead = octet(0);
    code = lead;
    if (lead < 0x80) return 1;
    const std::size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || text.size() < size) return 0;
    code = lead & (0x7fU >> size);
    for (std::size_t i = 1; i < size; ++i) {
        if ((octet(i) & 0xc0U) != 0x80U) return 0;
        code = (code << 6U) | (octet(i) & 0x3fU);
    }
    constexpr unsigned kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
    const bool surrogate = code >= 0xd800 && code <= 0xdfff;
    return code < kLeast[size] || code > 0x10ffff || surrogate ? 0 : size;
}

/// What a terminal would act on instead of show: C0, DEL, C1, line separators, and the characters
/// that reverse or reorder what stands around them.
bool is_control(unsigned code) noexcept {
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x200b && code <= 0x200f) ||
           (code >= 0x2028 && code <= 0x202e) || (code >= 0x2060 && code <= 0x206f) ||
           code == 0xfeff;
}

void escape_into(std::string& out, std::string_view text, std::string_view special) {
    constexpr char kDigits[] = "0123456789abcdef";
    while (!text.empty()) {
        unsigned code = 0;
        const std::size_t size = read_utf8(text, code);
        const std::string_view one = text.substr(0, size == 0 ? 1 : size);
        if (size == 0 || is_control(code)) {
            for (const char c : one) {
                const auto octet = static_cast<unsigned char>(c);
                out += '\\';
                out += kDigits[octet >> 4U];
                out += kDigits[octet & 0x0fU];
            }
        } else {
            if (special.find(one) != std::string_view::npos) out += '\\';
            out += one;
        }
        text.remove_prefix(one.size());
    }
}

/// RFC 791 and RFC 5952 without its shortening of zeros.
std::string ip_text(ByteView octets) {
    std::string out;
    if (octets.size() == 4) {
        for (const std::uint8_t octet : octets) {
            out += (out.empty() ? "" : ".") + std::to_string(octet);
        }
        return out;
    }
    if (octets.size() != 16) return to_hex(octets);
    for (std::size_t i = 0; i < 16; i += 2) {
        std::string group = to_hex(octets.subspan(i, 2));
        group.erase(0, std::min(group.find_first_not_of('0'), std::size_t{3}));
        out += (out.empty() ? "" : ":") + group;
    }
    return out;
}

}  // namespace

Result<std::vector<Rdn>> parse_name(ByteView name) {
    DerReader outer{name};
    RA_TRY(const ByteView content, outer.read(Tag::sequence, "name"));
    RA_TRY_VOID(outer.expect_end("name"));
    std::vector<Rdn> rdns;
    DerReader reader = outer.inside(content);
    while (!reader.at_end()) {
        RA_TRY(const ByteView set, reader.read(Tag::set, "relativeDistinguishedName"));
        DerReader attributes = reader.inside(set);
        if (attributes.at_end())
            return fail(Errc::missing, "relativeDistinguishedName", attributes.offset());
        Rdn rdn;
        while (!attributes.at_end()) {
            RA_TRY(const ByteView pair, attributes.read(Tag::sequence, "attributeTypeAndValue"));
            DerReader item = attributes.inside(pair);
            NameAttribute one;
            RA_TRY(one.type, item.read_oid("attribute type"));
            RA_TRY(const Tlv value, item.read_any("attribute value"));
            RA_TRY_VOID(item.expect_end("attributeTypeAndValue"));
            one.tag = value.tag;
            one.value = value.content;
            RA_TRY(one.text, text_of(value.tag, value.content, value.whole));
            rdn.push_back(std::move(one));
        }
        rdns.push_back(std::move(rdn));
    }
    return rdns;
}

std::string name_text(ByteView name) {
    const auto rdns = parse_name(name);
    if (!rdns) return "?";
    std::string out;
    for (const Rdn& rdn : *rdns) {
        if (!out.empty()) out += ',';
        bool first = true;
        for (const NameAttribute& one : rdn) {
            if (!first) out += '+';
            first = false;
            out += oid_name(one.type) + '=';
            if (one.text.empty() && !one.value.empty()) {
                out += '#' + to_hex(one.value);
            } else {
                escape_into(out, one.text, "\\\",+;<>=");
            }
        }
    }
    return out;
}

std::string general_name_text(ByteView general_name) {
    DerReader reader{general_name};
    const auto tlv = reader.read_any("generalName");
    if (!tlv) return "?";
    std::string out;
    switch (static_cast<unsigned>(tlv->tag)) {
        case 0x81:
            out = "email:";
            break;
        case 0x82:
            out = "dns:";
            break;
        case 0x86:
            out = "uri:";
            break;
        case 0xa4:
            return name_text(tlv->content);
        case 0x87:
            return "ip:" + ip_text(tlv->content);
        default:
            return "other:" + to_hex(tlv->content);
    }
    escape_into(out, as_text(tlv->content), "\\\"");
    return out;
}

std::string escaped(std::string_view text) {
    std::string out;
    escape_into(out, text, "\\\"");
    return out;
}

}  // namespace ra::asn1
