#include "policy/pattern_match.h"

#include <algorithm>

#include "policy/distinguished_name.h"

namespace policy {
namespace {

using Kind = ValuePattern::Part::Kind;

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), [](char c) { return lower(c); });
    return out;
}

bool is_dns_character(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/// The rest of `value` against the parts from `at` on. Wildcards are at most one `*` and, for an
/// RA, one per ${sender}: the parser bounds the pattern, the message bounds the value.
bool matches_from(const ValuePattern& pattern, std::size_t at, std::string_view value,
                  const Sender& sender, std::string_view stops) {
    if (at == pattern.parts.size()) return value.empty();
    const ValuePattern::Part& part = pattern.parts[at];
    std::string_view want = part.literal;
    const bool wild =
        part.kind == Kind::any || (part.kind == Kind::sender && sender.speaks_for_others);
    if (wild) {
        for (std::size_t length = 1; length <= value.size(); ++length) {
            if (stops.find(value[length - 1]) != std::string_view::npos) return false;
            if (matches_from(pattern, at + 1, value.substr(length), sender, stops)) return true;
        }
        return false;
    }
    std::optional<std::string_view> own;
    if (part.kind == Kind::sender) {
        own = sender_value(sender, part.sender_type);
        if (!own || own->empty()) return false;
        want = *own;
    }
    return value.starts_with(want) &&
           matches_from(pattern, at + 1, value.substr(want.size()), sender, stops);
}

bool matches_rdns(const NamePattern& pattern, const std::vector<NameAttribute>& name,
                  const Sender& sender, bool reversed) {
    for (std::size_t i = 0; i < name.size(); ++i) {
        const NameAttribute& have = name[i];
        const NamePattern::Attribute& want = pattern.rdns[reversed ? name.size() - 1 - i : i];
        if (have.rdn != i || !ra::equal(have.type, want.type)) return false;
        const auto text = plain_text(have.tag, have.value);
        if (!text || !matches(want.value, *text, sender)) return false;
    }
    return true;
}

}  // namespace

std::optional<std::string_view> sender_value(const Sender& sender, ra::ByteView type) {
    const auto name = read_name(sender.subject);
    if (!name) return std::nullopt;
    std::optional<std::string_view> found;
    for (const NameAttribute& one : *name) {
        if (!ra::equal(one.type, type)) continue;
        if (found) return std::nullopt;
        found = plain_text(one.tag, one.value);
        if (!found) return std::nullopt;
    }
    return found;
}

bool matches(const ValuePattern& pattern, std::string_view value, const Sender& sender,
             std::string_view stops) {
    return matches_from(pattern, 0, value, sender, stops);
}

bool matches(const NamePattern& pattern, ra::ByteView name, const Sender& sender) {
    if (pattern.any) return true;
    const auto attributes = read_name(name);
    if (!attributes || attributes->size() != pattern.rdns.size()) return false;
    return matches_rdns(pattern, *attributes, sender, false) ||
           matches_rdns(pattern, *attributes, sender, true);
}

bool matches(const DnsPattern& pattern, std::string_view name, const Sender& sender) {
    constexpr std::size_t kMaxName = 253;  // RFC 1035 2.3.4
    const std::string wanted = lower(name);
    if (wanted.empty() || wanted.size() > kMaxName) return false;

    // "${sender.CN}" alone stands for a whole name, dots included.
    const bool whole = pattern.labels.size() == 1 && pattern.labels[0].parts.size() == 1 &&
                       pattern.labels[0].binds_sender();
    std::size_t at = 0;
    std::size_t labels = 0;
    while (at <= wanted.size()) {
        const std::size_t end = std::min(wanted.find('.', at), wanted.size());
        const std::string_view label = std::string_view(wanted).substr(at, end - at);
        if (label.empty() || !std::all_of(label.begin(), label.end(), is_dns_character))
            return false;
        if (!whole) {
            if (labels == pattern.labels.size()) return false;
            const ValuePattern& want = pattern.labels[labels];
            if (want.binds_sender() && !sender.speaks_for_others) {
                ValuePattern bound;  // the sender's value, in lower case like the name
                for (const ValuePattern::Part& part : want.parts) {
                    if (part.kind != Kind::sender) {
                        bound.parts.push_back(part);
                        continue;
                    }
                    const auto own = sender_value(sender, part.sender_type);
                    if (!own || own->empty()) return false;
                    bound.parts.push_back({Kind::literal, lower(*own), {}});
                }
                if (!matches(bound, label, sender)) return false;
            } else if (!matches(want, label, sender)) {
                return false;
            }
        }
        ++labels;
        at = end + 1;
    }
    if (!whole) return labels == pattern.labels.size();
    if (sender.speaks_for_others) return true;
    const auto own = sender_value(sender, pattern.labels[0].parts[0].sender_type);
    return own && lower(*own) == wanted;
}

bool matches(const TextPattern& pattern, std::string_view text, const Sender& sender) {
    const auto plain = plain_text(ra::asn1::Tag::ia5_string, ra::as_bytes(text));
    return plain && matches(pattern.value, *plain, sender, "@/:?#");
}

bool matches(const IpRange& range, ra::ByteView address) noexcept {
    if (address.size() != range.address.size()) return false;
    for (unsigned bit = 0; bit < range.prefix; ++bit) {
        const unsigned mask = 0x80U >> (bit % 8);
        if ((address[bit / 8] & mask) != (range.address[bit / 8] & mask)) return false;
    }
    return true;
}

bool matches(const KeyPattern& pattern, const ra::crypto::KeyFacts& key) {
    if (pattern.family != key.family) return false;
    if (!pattern.curve.empty() && pattern.curve != key.curve) return false;
    return key.bits >= pattern.min_bits && (!pattern.bits || *pattern.bits == key.bits);
}

}  // namespace policy
