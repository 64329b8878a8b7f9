#include <algorithm>

#include "policy/amended.h"
#include "ra/asn1/der_writer.h"
#include "ra/asn1/oids.h"

namespace policy {
namespace {

using ra::Bytes;
using ra::ByteView;
using ra::asn1::DerWriter;
using ra::asn1::oid;
using ra::asn1::Oid;
using ra::asn1::Tag;

constexpr unsigned kRfc822Name = 1, kDnsName = 2, kUri = 6, kIpAddress = 7;

bool is_alnum(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_printable_string(std::string_view text) noexcept {
    return std::all_of(text.begin(), text.end(), [](char c) {
        return is_alnum(c) || std::string_view{" '()+,-./:=?"}.find(c) != std::string_view::npos;
    });
}

bool is_visible_ascii(std::string_view text) noexcept {
    return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

/// Letters, digits, hyphens; labels of 1..63, 253 in all (RFC 1034 3.5, RFC 1035 2.3.4).
bool is_dns_name(std::string_view name) noexcept {
    constexpr std::size_t kMaxName = 253, kMaxLabel = 63;
    if (name.empty() || name.size() > kMaxName) return false;
    std::size_t label = 0;
    char before = '.';
    for (const char c : name) {
        if (c == '.') {
            if (label == 0 || before == '-') return false;
            label = 0;
        } else {
            const bool is_allowed = is_alnum(c) || (c == '-' && label != 0);
            ++label;
            if (!is_allowed || label > kMaxLabel) return false;
        }
        before = c;
    }
    return label != 0 && before != '-';
}

/// The string type RFC 5280 App. A wants for an attribute; UTF8String for all others.
Tag string_type(ByteView attribute) noexcept {
    for (const Oid& printable : {oid("2.5.4.6"), oid("2.5.4.5"), oid("2.5.4.46")}) {
        if (printable == attribute) return Tag::printable_string;
    }
    for (const Oid& ia5 : {oid("1.2.840.113549.1.9.1"), oid("0.9.2342.19200300.100.1.25")}) {
        if (ia5 == attribute) return Tag::ia5_string;
    }
    return Tag::utf8_string;
}

bool add_text(DerWriter& names, unsigned choice, const std::optional<std::string>& text) {
    const bool good = text && (choice == kDnsName ? is_dns_name(*text)
                                                  : !text->empty() && is_visible_ascii(*text));
    if (good) names.tlv(ra::asn1::context_primitive(choice), ra::as_bytes(*text));
    return good;
}

}  // namespace

std::optional<std::string> fill(const ValuePattern& form, const Sender& sender) {
    using Kind = ValuePattern::Part::Kind;
    std::string out;
    for (const ValuePattern::Part& part : form.parts) {
        if (part.kind == Kind::literal) {
            out += part.literal;
            continue;
        }
        // Whom an RA speaks for is not in its own certificate.
        if (part.kind == Kind::any || sender.speaks_for_others) return std::nullopt;
        const auto own = sender_value(sender, part.sender_type);
        if (!own || own->empty()) return std::nullopt;
        out += *own;
    }
    return out;
}

std::optional<Bytes> fill_name(const NamePattern& form, const Sender& sender) {
    DerWriter writer;
    {
        const auto name = writer.open(Tag::sequence);
        for (const NamePattern::Attribute& one : form.rdns) {
            const auto text = fill(one.value, sender);
            if (!text) return std::nullopt;
            const Tag type = string_type(one.type);
            if (type == Tag::printable_string && !is_printable_string(*text)) return std::nullopt;
            if (type == Tag::ia5_string && !is_visible_ascii(*text)) return std::nullopt;
            const auto rdn = writer.open(Tag::set);
            const auto attribute = writer.open(Tag::sequence);
            writer.oid(one.type);
            writer.tlv(type, ra::as_bytes(*text));
        }
    }
    return std::move(writer).take();
}

std::optional<Bytes> fill_alt_names(const Amendments& amend, const Sender& sender) {
    DerWriter names;
    for (const DnsPattern& form : amend.san_dns) {
        std::string whole;
        for (const ValuePattern& label : form.labels) {
            const auto text = fill(label, sender);
            if (!text) return std::nullopt;
            whole += (whole.empty() ? "" : ".") + *text;
        }
        if (!add_text(names, kDnsName, whole)) return std::nullopt;
    }
    for (const TextPattern& form : amend.san_email) {
        if (!add_text(names, kRfc822Name, fill(form.value, sender))) return std::nullopt;
    }
    for (const TextPattern& form : amend.san_uri) {
        if (!add_text(names, kUri, fill(form.value, sender))) return std::nullopt;
    }
    for (const IpRange& address : amend.san_ip)
        names.tlv(ra::asn1::context_primitive(kIpAddress), address.address);
    return std::move(names).take();
}

}  // namespace policy
