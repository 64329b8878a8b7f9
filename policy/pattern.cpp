#include "policy/pattern.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <stdexcept>

#include "ra/asn1/oids.h"

namespace policy {
namespace {

using Kind = ValuePattern::Part::Kind;

[[noreturn]] void refuse(std::string_view what, std::string_view text, std::string_view why) {
    throw std::invalid_argument(std::string(what) + " \"" + std::string(text) +
                                "\": " + std::string(why));
}

std::string lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return out;
}

void add_literal(ValuePattern& pattern, char c) {
    if (pattern.parts.empty() || pattern.parts.back().kind != Kind::literal)
        pattern.parts.push_back({Kind::literal, {}, {}});
    pattern.parts.back().literal.push_back(c);
}

/// Splits at `separator`, but not where it is escaped or inside ${…}; escapes stay.
std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> out;
    std::size_t begin = 0;
    bool inside = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\') {
            ++i;
        } else if (text.substr(i, 2) == "${") {
            inside = true;
        } else if (text[i] == '}') {
            inside = false;
        } else if (text[i] == separator && !inside) {
            out.push_back(text.substr(begin, i - begin));
            begin = i + 1;
        }
    }
    out.push_back(text.substr(begin));
    return out;
}

unsigned number(std::string_view digits, std::string_view what, std::string_view text) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc{} || end != digits.data() + digits.size() || digits.empty())
        refuse(what, text, "a number was meant after the sign");
    return value;
}

struct ShortName {
    std::string_view name;
    std::string_view dotted;
};
// RFC 4514 section 3, and what IEEE 802.1AR and operators use besides.
constexpr ShortName kShortNames[] = {
    {"CN", "2.5.4.3"},
    {"L", "2.5.4.7"},
    {"ST", "2.5.4.8"},
    {"O", "2.5.4.10"},
    {"OU", "2.5.4.11"},
    {"C", "2.5.4.6"},
    {"STREET", "2.5.4.9"},
    {"DC", "0.9.2342.19200300.100.1.25"},
    {"UID", "0.9.2342.19200300.100.1.1"},
    {"serialNumber", "2.5.4.5"},
    {"SN", "2.5.4.4"},
    {"GN", "2.5.4.42"},
    {"title", "2.5.4.12"},
    {"pseudonym", "2.5.4.65"},
    {"dnQualifier", "2.5.4.46"},
    {"organizationIdentifier", "2.5.4.97"},
    {"emailAddress", "1.2.840.113549.1.9.1"},
};

}  // namespace

ra::Bytes attribute_type(std::string_view name) {
    const std::string wanted = lower(name);
    for (const ShortName& one : kShortNames) {
        if (lower(one.name) == wanted) return ra::asn1::parse_dotted(one.dotted);
    }
    return ra::asn1::parse_dotted(name);
}

ValuePattern ValuePattern::parse(std::string_view text) {
    constexpr std::string_view kSender = "${sender.";
    ValuePattern out;
    bool any = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c == '\\') {
            if (++i == text.size()) refuse("pattern", text, "ends in a backslash");
            add_literal(out, text[i]);
        } else if (c == '*') {
            if (any) refuse("pattern", text, "only one * in a value");
            any = true;
            out.parts.push_back({Kind::any, {}, {}});
        } else if (text.substr(i, 2) == "${") {
            const std::size_t end = text.find('}', i);
            if (text.substr(i, kSender.size()) != kSender || end == std::string_view::npos)
                refuse("pattern", text, "only ${sender.TYPE} may stand after $");
            const std::string_view name = text.substr(i + kSender.size(), end - i - kSender.size());
            ra::Bytes type = attribute_type(name);
            if (type.empty())
                refuse("pattern", text,
                       "unknown attribute type in ${sender." + std::string(name) + "}");
            out.parts.push_back({Kind::sender, {}, std::move(type)});
            i = end;
        } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
            refuse("pattern", text, "control character");
        } else {
            add_literal(out, c);
        }
    }
    return out;
}

bool ValuePattern::binds_sender() const noexcept {
    return std::any_of(parts.begin(), parts.end(),
                       [](const Part& part) { return part.kind == Kind::sender; });
}

NamePattern NamePattern::parse(std::string_view text) {
    NamePattern out;
    out.text = text;
    if (text == "*") {
        out.any = true;
        return out;
    }
    if (text.empty()) return out;
    for (std::string_view rdn : split(text, ',')) {
        while (rdn.starts_with(' ')) rdn.remove_prefix(1);
        const std::size_t sign = rdn.find('=');
        if (sign == std::string_view::npos) refuse("name", text, "TYPE=value was meant");
        if (split(rdn, '+').size() > 1)
            refuse("name", text,
                   "write \\+ for a plus sign; RDNs of several values are not supported");
        ra::Bytes type = attribute_type(rdn.substr(0, sign));
        if (type.empty())
            refuse("name", text,
                   "unknown attribute type \"" + std::string(rdn.substr(0, sign)) + "\"");
        ValuePattern value = ValuePattern::parse(rdn.substr(sign + 1));
        if (value.parts.empty()) refuse("name", text, "empty value");
        out.rdns.push_back({std::move(type), std::move(value)});
    }
    return out;
}

bool NamePattern::binds_sender() const noexcept {
    return std::any_of(rdns.begin(), rdns.end(),
                       [](const Attribute& one) { return one.value.binds_sender(); });
}

DnsPattern DnsPattern::parse(std::string_view text) {
    DnsPattern out;
    out.text = text;
    for (const std::string_view label : split(text, '.')) {
        if (label.empty()) refuse("DNS name", text, "empty label");
        ValuePattern value = ValuePattern::parse(label);
        for (ValuePattern::Part& part : value.parts) part.literal = lower(part.literal);
        out.labels.push_back(std::move(value));
    }
    return out;
}

bool DnsPattern::binds_sender() const noexcept {
    return std::any_of(labels.begin(), labels.end(),
                       [](const ValuePattern& one) { return one.binds_sender(); });
}

TextPattern TextPattern::parse(std::string_view text) {
    if (text.empty()) refuse("pattern", text, "empty");
    return {ValuePattern::parse(text), std::string(text)};
}

IpRange IpRange::parse(std::string_view text) {
    IpRange out;
    out.text = text;
    const std::size_t slash = text.find('/');
    const std::string address(text.substr(0, slash));
    out.address.resize(16);
    if (inet_pton(AF_INET, address.c_str(), out.address.data()) == 1) {
        out.address.resize(4);
    } else if (inet_pton(AF_INET6, address.c_str(), out.address.data()) != 1) {
        refuse("address", text, "neither IPv4 nor IPv6");
    }
    out.prefix = static_cast<unsigned>(out.address.size() * 8);
    if (slash != std::string_view::npos) {
        const unsigned prefix = number(text.substr(slash + 1), "address", text);
        if (prefix > out.prefix) refuse("address", text, "prefix longer than the address");
        out.prefix = prefix;
    }
    return out;
}

KeyPattern KeyPattern::parse(std::string_view text) {
    KeyPattern out;
    out.text = text;
    const std::size_t end = text.find_first_of(":>");
    out.family = lower(text.substr(0, end));
    if (out.family.empty())
        refuse("key", text, "\"ec:P-256\", \"rsa>=3072\" or \"ed25519\" was meant");
    if (end == std::string_view::npos) return out;
    if (text.substr(end, 2) == ">=") {
        out.min_bits = number(text.substr(end + 2), "key", text);
    } else if (text[end] == ':' && out.family == "ec") {
        out.curve = text.substr(end + 1);
        if (out.curve.empty()) refuse("key", text, "a curve was meant after the colon");
    } else if (text[end] == ':') {
        out.bits = number(text.substr(end + 1), "key", text);
    } else {
        refuse("key", text, "\">=\" was meant");
    }
    return out;
}

}  // namespace policy
