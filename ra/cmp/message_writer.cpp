#include "ra/cmp/message_writer.h"

#include <algorithm>

namespace ra::cmp {

using asn1::Tag;

namespace {

/// Tag and length of the longest SEQUENCE there is (2^24-1 octets).
constexpr std::size_t kRoom = 5;

}  // namespace

/// The header stands where it is signed: ProtectedPart's SEQUENCE header right before it, and later
/// the one of the whole message in its place.
MessageWriter::MessageWriter(const HeaderFields& header, std::span<const ByteView> body,
                             std::size_t more) {
    constexpr std::size_t kHeaderGuess = 512;
    std::size_t octets = kRoom + kHeaderGuess + header.extra_general_info.size() + more;
    for (const ByteView piece : body) octets += piece.size();
    asn1::DerWriter writer{octets};
    constexpr std::uint8_t kNothing[kRoom] = {};
    writer.raw(kNothing);
    write_header(writer, header);
    for (const ByteView piece : body) writer.raw(piece);
    buffer_ = std::move(writer).take();
    part_ = put_header(buffer_.size() - kRoom);
}

/// Writes a SEQUENCE header that ends where PKIHeader begins; its place.
std::size_t MessageWriter::put_header(std::size_t length) noexcept {
    std::uint8_t octets[kRoom] = {static_cast<std::uint8_t>(Tag::sequence)};
    std::size_t count = 1;
    if (length < 0x80) {
        octets[count++] = static_cast<std::uint8_t>(length);
    } else {
        const std::size_t size = length < 0x100 ? 1 : length < 0x10000 ? 2 : 3;
        octets[count++] = static_cast<std::uint8_t>(0x80U | size);
        for (std::size_t i = size; i-- != 0;)
            octets[count++] = static_cast<std::uint8_t>(length >> (8 * i));
    }
    std::copy_n(octets, count, buffer_.begin() + static_cast<std::ptrdiff_t>(kRoom - count));
    return kRoom - count;
}

ByteView MessageWriter::protected_part() const noexcept { return ByteView{buffer_}.subspan(part_); }

Bytes MessageWriter::finish(ByteView protection, std::span<const ByteView> extra_certs) && {
    if (!protection.empty()) {
        Bytes bits;  // tag and length of what stands in [0]
        asn1::append_header(bits, Tag::bit_string, protection.size() + 1);
        asn1::append_header(buffer_, asn1::context(0), bits.size() + protection.size() + 1);
        append(buffer_, bits);
        buffer_.push_back(0);  // no unused bits
        append(buffer_, protection);
    }
    std::size_t size = 0;
    for (const ByteView one : extra_certs) size += one.size();
    if (size != 0) {
        Bytes list;
        asn1::append_header(list, Tag::sequence, size);
        asn1::append_header(buffer_, asn1::context(1), list.size() + size);
        append(buffer_, list);
        for (const ByteView one : extra_certs) append(buffer_, one);
    }
    const std::size_t start = put_header(buffer_.size() - kRoom);
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(start));
    return std::move(buffer_);
}

Bytes nested_body_prefix(std::size_t message_size) {
    Bytes list;
    asn1::append_header(list, Tag::sequence, message_size);
    Bytes prefix;
    asn1::append_header(prefix, asn1::context(static_cast<unsigned>(BodyType::nested)),
                        list.size() + message_size);
    append(prefix, list);
    return prefix;
}

}  // namespace ra::cmp
