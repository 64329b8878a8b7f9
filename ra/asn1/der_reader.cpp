#include "ra/asn1/der_reader.h"

namespace ra::asn1 {
namespace {

constexpr std::size_t kMaxContent = (1U << 24) - 1;

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

Result<Tlv> DerReader::read_any(std::string_view field) {
    const ByteView in = rest();
    if (in.empty()) return fail(Errc::missing, field, offset());
    if (in.size() < 2) return fail(Errc::truncated, field, offset());
    if (!is_der_tag(in[0])) return fail(Errc::bad_tag, field, offset());

    std::size_t header = 2;
    std::size_t length = in[1];
    if (length >= 0x80) {
        const std::size_t octets = length & 0x7fU;
        if (octets == 0 || octets > 3) return fail(Errc::bad_length, field, offset());
        if (in.size() < 2 + octets) return fail(Errc::truncated, field, offset());
        length = 0;
        for (std::size_t i = 0; i < octets; ++i) length = (length << 8U) | in[2 + i];
        const bool minimal =
            length >= 0x80 && (octets == 1 || length >= (std::size_t{1} << (8 * (octets - 1))));
        if (!minimal || length > kMaxContent) return fail(Errc::bad_length, field, offset());
        header += octets;
    }
    if (in.size() - header < length) return fail(Errc::truncated, field, offset());
    Tlv tlv{static_cast<Tag>(in[0]), in.subspan(header, length), in.first(header + length)};
    position_ += header + length;
    return tlv;
}

Result<Tlv> DerReader::read_tlv(Tag want, std::string_view field) {
    const auto next = peek();
    if (!next) return fail(Errc::missing, field, offset());
    if (*next != want) return fail(Errc::bad_tag, field, offset());
    return read_any(field);
}

Result<ByteView> DerReader::read(Tag want, std::string_view field) {
    RA_TRY(const Tlv tlv, read_tlv(want, field));
    return tlv.content;
}

Result<std::optional<Tlv>> DerReader::read_optional_tlv(Tag want, std::string_view field) {
    if (peek() != want) return std::optional<Tlv>{};
    RA_TRY(const Tlv tlv, read_any(field));
    return std::optional<Tlv>{tlv};
}

Result<std::optional<ByteView>> DerReader::read_optional(Tag want, std::string_view field) {
    if (peek() != want) return std::optional<ByteView>{};
    RA_TRY(const Tlv tlv, read_any(field));
    return std::optional<ByteView>{tlv.content};
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
