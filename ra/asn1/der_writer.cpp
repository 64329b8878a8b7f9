#include "ra/asn1/der_writer.h"

namespace ra::asn1 {
namespace {

std::size_t encode_length(std::size_t length, std::uint8_t (&octets)[4]) noexcept {
    if (length < 0x80) {
        octets[0] = static_cast<std::uint8_t>(length);
        return 1;
    }
    const std::size_t count = length < 0x100 ? 1 : length < 0x10000 ? 2 : 3;
    octets[0] = static_cast<std::uint8_t>(0x80U | count);
    for (std::size_t i = 0; i < count; ++i) {
        octets[1 + i] = static_cast<std::uint8_t>(length >> (8 * (count - 1 - i)));
    }
    return count + 1;
}

}  // namespace

void append_header(Bytes& out, Tag tag, std::size_t length) {
    std::uint8_t octets[4];
    const std::size_t count = encode_length(length, octets);
    out.push_back(static_cast<std::uint8_t>(tag));
    append(out, {octets, count});
}

DerWriter::Scope DerWriter::open(Tag tag) {
    out_.push_back(static_cast<std::uint8_t>(tag));
    return {*this, out_.size()};
}

void DerWriter::close(std::size_t start) {
    std::uint8_t octets[4];
    const std::size_t count = encode_length(out_.size() - start, octets);
    out_.insert(out_.begin() + static_cast<std::ptrdiff_t>(start), octets, octets + count);
}

void DerWriter::tlv(Tag tag, ByteView content) {
    append_header(out_, tag, content.size());
    append(out_, content);
}

void DerWriter::integer(std::int64_t value) {
    std::uint8_t octets[8];
    for (int i = 0; i < 8; ++i) {
        octets[i] = static_cast<std::uint8_t>(static_cast<std::uint64_t>(value) >> (8 * (7 - i)));
    }
    std::size_t skip = 0;
    while (skip < 7) {
        const bool zeros = octets[skip] == 0x00 && (octets[skip + 1] & 0x80U) == 0;
        const bool ones = octets[skip] == 0xff && (octets[skip + 1] & 0x80U) != 0;
        if (!zeros && !ones) break;
        ++skip;
    }
    tlv(Tag::integer, ByteView{octets}.subspan(skip));
}

void DerWriter::bit_string(ByteView content) {
    append_header(out_, Tag::bit_string, content.size() + 1);
    out_.push_back(0);
    append(out_, content);
}

void DerWriter::boolean(bool value) {
    const std::uint8_t octet = value ? 0xff : 0x00;
    tlv(Tag::boolean, {&octet, 1});
}

}  // namespace ra::asn1
