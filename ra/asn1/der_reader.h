#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "ra/base/bytes.h"
#include "ra/base/result.h"

namespace ra::asn1 {

/// First identifier octet of a TLV (X.690 8.1.2): class, constructed bit, tag number 0..30.
enum class Tag : std::uint8_t {
    boolean = 0x01,
    integer = 0x02,
    bit_string = 0x03,
    octet_string = 0x04,
    null = 0x05,
    oid = 0x06,
    enumerated = 0x0a,
    utf8_string = 0x0c,
    printable_string = 0x13,
    ia5_string = 0x16,
    utc_time = 0x17,
    generalized_time = 0x18,
    sequence = 0x30,
    set = 0x31,
};

/// [n] constructed: EXPLICIT, or IMPLICIT around a SEQUENCE or SET.
constexpr Tag context(unsigned number) noexcept { return static_cast<Tag>(0xa0U | number); }
/// [n] primitive: IMPLICIT around a primitive type.
constexpr Tag context_primitive(unsigned number) noexcept {
    return static_cast<Tag>(0x80U | number);
}

/// One element as it stands in the input.
struct Tlv {
    Tag tag{};
    ByteView content;
    ByteView whole;  // identifier and length octets included
};

/// Reads DER TLVs (X.690) front to back without copying.
///
/// Borrows: every view it yields points into `input`, which must outlive them.
/// Accepts DER only: definite, minimal lengths, tag numbers 0..30, up to 2^24-1 octets.
/// A failed read leaves the position unchanged. Offsets in errors count from `base`, the place of
/// `input` in the whole message, so that a nested reader names the right octet.
class DerReader {
public:
    explicit constexpr DerReader(ByteView input, std::size_t base = 0) noexcept
        : input_{input}, base_{base} {}

    /// A reader of `inner`, a view into this reader's input, with offsets kept.
    [[nodiscard]] DerReader inside(ByteView inner) const noexcept {
        return DerReader{inner, base_ + static_cast<std::size_t>(inner.data() - input_.data())};
    }

    /// The next TLV, whatever its tag. Errors: missing (at the end), truncated, bad_length, bad_tag
    /// (a tag number over 30, or a form DER does not have: constructed strings, primitive
    /// sequences).
    [[nodiscard]] Result<Tlv> read_any(std::string_view field);
    /// The next TLV with this tag. Errors: as read_any; bad_tag for another; missing at the end.
    [[nodiscard]] Result<Tlv> read_tlv(Tag want, std::string_view field);
    /// Content octets of the next TLV.
    [[nodiscard]] Result<ByteView> read(Tag want, std::string_view field);
    /// As read(), or nullopt if the next tag is not `want` (OPTIONAL).
    [[nodiscard]] Result<std::optional<ByteView>> read_optional(Tag want, std::string_view field);
    /// As read_tlv(), or nullopt if the next tag is not `want`.
    [[nodiscard]] Result<std::optional<Tlv>> read_optional_tlv(Tag want, std::string_view field);

    /// INTEGER within 0..max. Errors: as read; bad_value (negative, not minimal, over max).
    [[nodiscard]] Result<std::uint64_t> read_unsigned(std::string_view field, std::uint64_t max);
    /// INTEGER within int64. Errors: as read; bad_value.
    [[nodiscard]] Result<std::int64_t> read_integer(std::string_view field);
    /// Content octets of an INTEGER of any size, minimal (serial numbers).
    [[nodiscard]] Result<ByteView> read_big_integer(std::string_view field);
    /// Content octets of an OBJECT IDENTIFIER, checked to be well formed.
    [[nodiscard]] Result<ByteView> read_oid(std::string_view field);
    /// Octets of a BIT STRING with no unused bits.
    [[nodiscard]] Result<ByteView> read_bit_string(std::string_view field);
    /// Content octets of a UTF8String, checked to be UTF-8.
    [[nodiscard]] Result<ByteView> read_utf8(std::string_view field);
    /// A BIT STRING with named bits, as a mask (bit n: the named bit n), trailing zero bits left
    /// out as DER wants. Errors: as read; bad_value (also for more than 32 bits).
    [[nodiscard]] Result<std::uint32_t> read_named_bits(std::string_view field);
    /// BOOLEAN: 00 or FF (DER).
    [[nodiscard]] Result<bool> read_boolean(std::string_view field);
    /// NULL.
    [[nodiscard]] Result<void> read_null(std::string_view field);

    [[nodiscard]] bool at_end() const noexcept { return position_ == input_.size(); }
    /// The next identifier octet without consuming it; nullopt at the end.
    [[nodiscard]] std::optional<Tag> peek() const noexcept;
    /// What has not been read yet.
    [[nodiscard]] ByteView rest() const noexcept { return input_.subspan(position_); }
    /// Place of the next octet, counted from the start of the whole message.
    [[nodiscard]] std::size_t offset() const noexcept { return base_ + position_; }

    /// Call last on each reader: DER leaves no room for more. Error: trailing_data.
    [[nodiscard]] Result<void> expect_end(std::string_view field) const;

private:
    ByteView input_;
    std::size_t position_ = 0;
    std::size_t base_ = 0;
};

/// Are these the content octets of a DER INTEGER: at least one, the first nine bits not all alike?
[[nodiscard]] bool is_minimal_integer(ByteView content) noexcept;

/// Walks every TLV below `der` (constructed ones only) and refuses what is not DER or nests deeper
/// than `max_depth`; primitive content is not looked into. Errors: as read_any; too_deep.
[[nodiscard]] Result<void> check_der(ByteView der, unsigned max_depth, std::string_view field);

}  // namespace ra::asn1
