#pragma once

#include <cstdint>
#include <string_view>

#include "ra/asn1/der_reader.h"
#include "ra/base/bytes.h"

namespace ra::asn1 {

/// Builds DER front to back into one buffer. Constructed elements are opened and closed; the length
/// is put in on close.
///
///     DerWriter w;
///     { auto seq = w.open(Tag::sequence); w.integer(0); }
///     Bytes der = std::move(w).take();
class DerWriter {
public:
    /// Closes its element when it dies; strictly nested.
    class Scope {
    public:
        Scope(DerWriter& writer, std::size_t start) noexcept : writer_{&writer}, start_{start} {}
        Scope(const Scope&) = delete;
        Scope& operator=(const Scope&) = delete;
        ~Scope() { writer_->close(start_); }

    private:
        DerWriter* writer_;
        std::size_t start_;
    };

    explicit DerWriter(std::size_t reserve = 256) { out_.reserve(reserve); }

    [[nodiscard]] Scope open(Tag tag);
    /// One TLV.
    void tlv(Tag tag, ByteView content);
    /// Octets that are already DER.
    void raw(ByteView der) { append(out_, der); }
    void integer(std::int64_t value);
    /// Big-endian content octets as read by read_big_integer().
    void big_integer(ByteView content) { tlv(Tag::integer, content); }
    /// Content octets of an OID (see oids.h).
    void oid(ByteView content) { tlv(Tag::oid, content); }
    void octet_string(ByteView content) { tlv(Tag::octet_string, content); }
    /// No unused bits.
    void bit_string(ByteView content);
    void utf8(std::string_view text) { tlv(Tag::utf8_string, as_bytes(text)); }
    void null() { tlv(Tag::null, {}); }
    void boolean(bool value);

    [[nodiscard]] ByteView view() const noexcept { return out_; }
    [[nodiscard]] Bytes take() && { return std::move(out_); }

private:
    void close(std::size_t start);

    Bytes out_;
};

/// Appends identifier and length octets for `length` octets of content (at most 2^24-1).
void append_header(Bytes& out, Tag tag, std::size_t length);

}  // namespace ra::asn1
