#include <algorithm>

#include "ra/cmp/message.h"

namespace ra::cmp {

using asn1::context;
using asn1::DerReader;
using asn1::Tag;

namespace {

/// The TLV that opens `octets`, cut where the octets end: what follows a truncation is gone, what
/// stands before it can still be read.
std::optional<ByteView> content_so_far(ByteView octets, Tag want) noexcept {
    if (octets.size() < 2 || octets[0] != static_cast<std::uint8_t>(want)) return std::nullopt;
    if (octets[1] < 0x80) {
        return octets.subspan(2, std::min<std::size_t>(octets[1], octets.size() - 2));
    }
    const std::size_t count = octets[1] & 0x7fU;
    if (count == 0 || count > 3 || octets.size() < 2 + count) return std::nullopt;
    std::size_t length = 0;
    for (std::size_t i = 0; i < count; ++i) length = (length << 8U) | octets[2 + i];
    return octets.subspan(2 + count, std::min(length, octets.size() - 2 - count));
}

ByteView octets_in(const DerReader& header, ByteView tagged, const Limits& limits) noexcept {
    DerReader inner = header.inside(tagged);
    const auto octets = inner.read(Tag::octet_string, "salvage");
    if (!octets.has_value() || !inner.at_end() || octets->size() > limits.id_max) return {};
    return *octets;
}

}  // namespace

Salvage salvage(ByteView der, const Limits& limits) noexcept {
    Salvage found;
    // The message may be over the limit or cut off: its outer lengths are not believed.
    const auto message = content_so_far(der, Tag::sequence);
    if (!message) return found;
    const auto header = content_so_far(*message, Tag::sequence);
    if (!header) return found;
    DerReader reader{*header};
    const auto pvno = reader.read_unsigned("pvno", 255);
    if (!pvno.has_value()) return found;
    found.pvno = static_cast<std::uint8_t>(*pvno);
    // sender, recipient
    if (!reader.read_any("sender").has_value() || !reader.read_any("recipient").has_value()) {
        return found;
    }
    // [0]..[8] in their order; the first that does not read ends the search.
    unsigned last = 0;
    while (const auto tag = reader.peek()) {
        const unsigned number = static_cast<unsigned>(*tag) & 0x1fU;
        if (*tag != context(number) || number > 8 || number + 1 <= last) break;
        const auto field = reader.read_any("salvage");
        if (!field.has_value()) break;
        last = number + 1;
        if (number == 4) found.transaction_id = octets_in(reader, field->content, limits);
        if (number == 5) found.sender_nonce = octets_in(reader, field->content, limits);
    }
    return found;
}

}  // namespace ra::cmp
