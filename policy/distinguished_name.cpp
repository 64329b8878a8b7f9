#include "policy/distinguished_name.h"

#include <algorithm>
#include <optional>

#include "ra/asn1/der_writer.h"
#include "ra/asn1/name.h"

namespace policy {
namespace {

using ra::ByteView;
using ra::asn1::Tag;

constexpr std::size_t kMaxAttributes = 32;

bool is_folded(Tag tag) noexcept { return tag == Tag::printable_string || tag == Tag::utf8_string; }

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string folded(ByteView value) {
    std::string out;
    out.reserve(value.size());
    for (const char c : ra::as_text(value)) {
        if (c == ' ' && (out.empty() || out.back() == ' ')) continue;
        out.push_back(lower(c));
    }
    if (!out.empty() && out.back() == ' ') out.pop_back();
    return out;
}

bool same_attribute(const NameAttribute& a, const NameAttribute& b) {
    if (!ra::equal(a.type, b.type)) return false;
    if (a.tag == b.tag && ra::equal(a.value, b.value)) return true;
    return is_folded(a.tag) && is_folded(b.tag) && folded(a.value) == folded(b.value);
}

/// The attributes of one RDN are a set: order does not count.
bool same_rdn(std::span<const NameAttribute> a, std::span<const NameAttribute> b) {
    if (a.size() != b.size()) return false;
    return std::all_of(a.begin(), a.end(), [b](const NameAttribute& one) {
        return std::any_of(b.begin(), b.end(), [&one](const NameAttribute& other) {
            return same_attribute(one, other);
        });
    });
}

/// Each RDN of `a` against the one in the same place of `b`.
bool same_rdns(const std::vector<NameAttribute>& a, const std::vector<NameAttribute>& b) {
    if (a.size() != b.size()) return false;
    std::size_t begin = 0;
    while (begin < a.size()) {
        std::size_t end = begin;
        while (end < a.size() && a[end].rdn == a[begin].rdn) {
            if (b[end].rdn != a[end].rdn) return false;
            ++end;
        }
        const auto count = end - begin;
        if (!same_rdn(std::span{a}.subspan(begin, count), std::span{b}.subspan(begin, count)))
            return false;
        begin = end;
    }
    return true;
}

}  // namespace

ra::Result<std::vector<NameAttribute>> read_name(ByteView name) {
    RA_TRY(const auto rdns, ra::asn1::parse_name(name));
    std::vector<NameAttribute> out;
    for (std::size_t rdn = 0; rdn < rdns.size(); ++rdn) {
        for (const ra::asn1::NameAttribute& one : rdns[rdn]) {
            if (out.size() == kMaxAttributes) return ra::fail(ra::Errc::too_many, "name");
            out.push_back({rdn, one.type, one.tag, one.value});
        }
    }
    return out;
}

bool same_name(ByteView a, ByteView b) {
    if (ra::equal(a, b)) return true;
    const auto left = read_name(a);
    const auto right = read_name(b);
    return left.has_value() && right.has_value() && same_rdns(*left, *right);
}

ra::Bytes canonical_name(ByteView name) {
    const auto attributes = read_name(name);
    if (!attributes) return ra::to_bytes(name);
    // Each attribute with its lengths, so that no value can look like the next attribute.
    std::vector<std::pair<std::size_t, ra::Bytes>> written;
    for (const NameAttribute& one : *attributes) {
        const std::string text =
            is_folded(one.tag) ? folded(one.value) : std::string(ra::as_text(one.value));
        ra::asn1::DerWriter writer;
        writer.oid(one.type);
        writer.tlv(is_folded(one.tag) ? Tag::utf8_string : one.tag, ra::as_bytes(text));
        written.emplace_back(one.rdn, std::move(writer).take());
    }
    std::sort(written.begin(), written.end());  // within an RDN order does not count
    ra::Bytes out;
    for (const auto& [rdn, octets] : written) {
        out.push_back(static_cast<std::uint8_t>(rdn));
        ra::append(out, octets);
    }
    return out;
}

std::optional<std::string_view> plain_text(Tag tag, ByteView value) noexcept {
    if (!is_folded(tag) && tag != Tag::ia5_string) return std::nullopt;
    const auto is_control = [](std::uint8_t octet) { return octet < 0x20 || octet == 0x7f; };
    if (std::any_of(value.begin(), value.end(), is_control)) return std::nullopt;
    // C1 controls as UTF-8 (U+0080..U+009F).
    for (std::size_t i = 0; i + 1 < value.size(); ++i) {
        if (value[i] == 0xc2 && value[i + 1] < 0xa0) return std::nullopt;
    }
    return ra::as_text(value);
}

std::string name_text(ByteView name) {
    const std::string text = ra::asn1::name_text(name);
    return text.empty() ? "NULL-DN" : text;
}

}  // namespace policy
