#include "ra/asn1/der_reader.h"

#include <array>

namespace ra::asn1 {
namespace {

constexpr std::size_t kMostLengthOctets = 3;  // content of up to 2^24-1 octets

/// Tag numbers 0..30; a universal type has the one form DER leaves it: constructed for SEQUENCE,
/// SET, EXTERNAL and EMBEDDED PDV, primitive for the rest (no strings in pieces, X.690 10.2).
constexpr bool is_der_tag(std::uint8_t identifier) noexcept {
    const unsigned number = identifier & 0x1fU;
    if (number == 0x1f) return false;
    if ((identifier & 0xc0U) != 0) return true;
    const bool constructed = (identifier & 0x20U) != 0;
    const bool wants = number == 16 || number == 17 || number == 8 || number == 11;
    return number != 0 && constructed == wants;
}

/// By identifier octet.
constexpr std::array<bool, 256> kDerTags = [] {
    std::array<bool, 256> good{};
    for (unsigned identifier = 0; identifier < good.size(); ++identifier)
        good[identifier] = is_der_tag(static_cast<std::uint8_t>(identifier));
    return good;
}();

bool is_utf8(ByteView text) noexcept {
    std::size_t i = 0;
    while (i < text.size()) {
        const std::uint8_t lead = text[i];
        std::size_t more = 0;
        std::uint32_t value = lead;
        std::uint32_t least = 0;
        if (lead < 0x80) {
            ++i;
            continue;
        }
        if ((lead & 0xe0U) == 0xc0U) {
            more = 1;
            value = lead & 0x1fU;
            least = 0x80;
        } else if ((lead & 0xf0U) == 0xe0U) {
            more = 2;
            value = lead & 0x0fU;
            least = 0x800;
        } else if ((lead & 0xf8U) == 0xf0U) {
            more = 3;
            value = lead & 0x07U;
            least = 0x10000;
        } else
            return false;
        if (text.size() - i <= more) return false;
        for (std::size_t k = 1; k <= more; ++k) {
            const std::uint8_t next = text[i + k];
            if ((next & 0xc0U) != 0x80U) return false;
            value = (value << 6U) | (next & 0x3fU);
        }
        const bool surrogate = value >= 0xd800 && value <= 0xdfff;
        if (value < least || value > 0x10ffff || surrogate) return false;
        i += more + 1;
    }
    return true;
}

}  // namespace

bool is_minimal_integer(ByteView content) noexcept {
    if (content.empty()) return false;
    if (content.size() == 1) return true;
    const bool negative = (content[1] & 0x80U) != 0;
    return !((content[0] == 0x00 && !negative) || (content[0] == 0xff && negative));
}

namespace {

/// How far the TLV at the start of `in` reaches; `whole` 0: that is no DER.
struct Extent {
    std::size_t header = 0;
    std::size_t whole = 0;
};

/// The short way through what is right, which nearly all is; why_not() says what is wrong.
inline Extent measure(ByteView in) noexcept {
    if (in.size() < 2 || !kDerTags[in[0]]) return {};
    const std::uint8_t first = in[1];
    std::size_t header = 2;
    std::size_t length = first;
    if (first == 0x81 && in.size() > 2 && in[2] >= 0x80) {
        header = 3;
        length = in[2];
    } else if (first == 0x82 && in.size() > 3 && in[2] != 0) {
        header = 4;
        length = (std::size_t{in[2]} << 8U) | in[3];
    } else if (first == 0x83 && in.size() > 4 && in[2] != 0) {
        header = 5;
        length = (std::size_t{in[2]} << 16U) | (std::size_t{in[3]} << 8U) | in[4];
    } else if (first >= 0x80) {
        return {};
    }
    if (in.size() - header < length) return {};
    return {header, header + length};
}

/// The fault of what measure() refuses.
[[gnu::cold]] Errc why_not(ByteView in) noexcept {
    if (in.empty()) return Errc::missing;
    if (in.size() < 2) return Errc::truncated;
    if (!kDerTags[in[0]]) return Errc::bad_tag;
    if (in[1] < 0x80) return Errc::truncated;
    const std::size_t octets = in[1] & 0x7fU;
    if (octets == 0 || octets > kMostLengthOctets) return Errc::bad_length;
    if (in.size() < 2 + octets) return Errc::truncated;
    const bool minimal = octets == 1 ? in[2] >= 0x80 : in[2] != 0;
    return minimal ? Errc::truncated : Errc::bad_length;
}

Tlv cut(ByteView in, const Extent& extent) noexcept {
    return {static_cast<Tag>(in[0]), in.subspan(extent.header, extent.whole - extent.header),
            in.first(extent.whole)};
}

/// Is the identifier octet at the start of `in` this one?
bool begins_with(ByteView in, Tag want) noexcept {
    return !in.empty() && in[0] == static_cast<std::uint8_t>(want);
}

}  // namespace

Result<Tlv> DerReader::read_any(std::string_view field) {
    const ByteView in = rest();
    const Extent extent = measure(in);
    if (extent.whole == 0) return fail(why_not(in), field, offset());
    position_ += extent.whole;
    return cut(in, extent);
}

Result<Tlv> DerReader::read_tlv(Tag want, std::string_view field) {
    const ByteView in = rest();
    if (!begins_with(in, want))
        return fail(in.empty() ? Errc::missing : Errc::bad_tag, field, offset());
    const Extent extent = measure(in);
    if (extent.whole == 0) return fail(why_not(in), field, offset());
    position_ += extent.whole;
    return cut(in, extent);
}

Result<ByteView> DerReader::read(Tag want, std::string_view field) {
    const ByteView in = rest();
    const Extent extent = begins_with(in, want) ? measure(in) : Extent{};
    if (extent.whole == 0) return read_tlv(want, field).error();
    position_ += extent.whole;
    return in.subspan(extent.header, extent.whole - extent.header);
}

Result<std::optional<Tlv>> DerReader::read_optional_tlv(Tag want, std::string_view field) {
    if (!begins_with(rest(), want)) return std::optional<Tlv>{};
    RA_TRY(const Tlv tlv, read_tlv(want, field));
    return std::optional<Tlv>{tlv};
}

Result<std::optional<ByteView>> DerReader::read_optional(Tag want, std::string_view field) {
    if (!begins_with(rest(), want)) return std::optional<ByteView>{};
    RA_TRY(const ByteView content, read(want, field));
    return std::optional<ByteView>{content};
}

Result<ByteView> DerReader::read_big_integer(std::string_view field) {
    DerReader ahead = *this;
    RA_TRY(const ByteView content, ahead.read(Tag::integer, field));
    if (!is_minimal_integer(content)) return fail(Errc::bad_value, field, offset());
    *this = ahead;
    return content;
}

Result<std::int64_t> DerReader::read_integer(std::string_view field) {
    DerReader ahead = *this;
    RA_TRY(const ByteView content, ahead.read_big_integer(field));
    if (content.size() > 8) return fail(Errc::bad_value, field, offset());
    std::uint64_t value = (content[0] & 0x80U) != 0 ? ~std::uint64_t{0} : 0;
    for (const std::uint8_t octet : content) value = (value << 8U) | octet;
    *this = ahead;
    return static_cast<std::int64_t>(value);
}

Result<std::uint64_t> DerReader::read_unsigned(std::string_view field, std::uint64_t max) {
    DerReader ahead = *this;
    RA_TRY(const std::int64_t value, ahead.read_integer(field));
    if (value < 0 || static_cast<std::uint64_t>(value) > max)
        return fail(Errc::bad_value, field, offset());
    *this = ahead;
    return static_cast<std::uint64_t>(value);
}

Result<ByteView> DerReader::read_oid(std::string_view field) {
    DerReader ahead = *this;
    RA_TRY(const ByteView content, ahead.read(Tag::oid, field));
    bool first_septet = true;  // a subidentifier must not start with 80 (X.690 8.19.2)
    for (const std::uint8_t octet : content) {
        if (first_septet && octet == 0x80) return fail(Errc::bad_value, field, offset());
        first_septet = (octet & 0x80U) == 0;
    }
    if (content.empty() || !first_septet) return fail(Errc::bad_value, field, offset());
    *this = ahead;
    return content;
}

Result<ByteView> DerReader::read_bit_string(std::string_view field) {
    DerReader ahead = *this;
    RA_TRY(const ByteView content, ahead.read(Tag::bit_string, field));
    if (content.empty() || content[0] != 0) return fail(Errc::bad_value, field, offset());
    *this = ahead;
    return content.subspan(1);
}

Result<ByteView> DerReader::read_utf8(std::string_view field) {
    DerReader ahead = *this;
    RA_TRY(const ByteView content, ahead.read(Tag::utf8_string, field));
    if (!is_utf8(content)) return fail(Errc::bad_value, field, offset());
    *this = ahead;
    return content;
}

Result<std::uint32_t> DerReader::read_named_bits(std::string_view field) {
    DerReader ahead = *this;
    RA_TRY(const ByteView content, ahead.read(Tag::bit_string, field));
    if (content.empty() || content.size() > 5) return fail(Errc::bad_value, field, offset());
    const unsigned unused = content[0];
    const ByteView octets = content.subspan(1);
    // X.690 11.2.2: the last bit that is sent is a one.
    const bool minimal = octets.empty()
                             ? unused == 0
                             : unused < 8 && (octets.back() & ((1U << unused) - 1)) == 0 &&
                                   (octets.back() & (1U << unused)) != 0;
    if (!minimal) return fail(Errc::bad_value, field, offset());
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < octets.size() * 8; ++i) {
        if ((octets[i / 8] & (0x80U >> (i % 8))) != 0) bits |= std::uint32_t{1} << i;
    }
    *this = ahead;
    return bits;
}

Result<bool> DerReader::read_boolean(std::string_view field) {
    DerReader ahead = *this;
    RA_TRY(const ByteView content, ahead.read(Tag::boolean, field));
    if (content.size() != 1 || (content[0] != 0x00 && content[0] != 0xff)) {
        return fail(Errc::bad_value, field, offset());
    }
    *this = ahead;
    return content[0] == 0xff;
}

Result<void> DerReader::read_null(std::string_view field) {
    DerReader ahead = *this;
    RA_TRY(const ByteView content, ahead.read(Tag::null, field));
    if (!content.empty()) return fail(Errc::bad_value, field, offset());
    *this = ahead;
    return boost::system::in_place_value;
}

std::optional<Tag> DerReader::peek() const noexcept {
    if (at_end()) return std::nullopt;
    return static_cast<Tag>(input_[position_]);
}

Result<void> DerReader::expect_end(std::string_view field) const {
    if (!at_end()) return fail(Errc::trailing_data, field, offset());
    return boost::system::in_place_value;
}

namespace {

Result<void> check_inside(DerReader& reader, unsigned depth, unsigned max_depth,
                          std::string_view field) {
    while (!reader.at_end()) {
        const std::size_t at = reader.offset();
        RA_TRY(const Tlv tlv, reader.read_any(field));
        constexpr unsigned kConstructed = 0x20;
        if ((static_cast<unsigned>(tlv.tag) & kConstructed) == 0) continue;
        if (depth >= max_depth) return fail(Errc::too_deep, field, at);
        DerReader inner = reader.inside(tlv.content);
        RA_TRY_VOID(check_inside(inner, depth + 1, max_depth, field));
    }
    return boost::system::in_place_value;
}

}  // namespace

Result<void> check_der(ByteView der, unsigned max_depth, std::string_view field) {
    DerReader reader{der};
    return check_inside(reader, 0, max_depth, field);
}

}  // namespace ra::asn1
