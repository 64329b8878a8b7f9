#pragma once

#include <span>

#include "ra/cmp/build.h"

namespace ra::cmp {

/// Writes one PKIMessage into one buffer: header and body first, which are protected where they
/// stand, then the protection and extraCerts behind them. No octet of them is copied twice.
class MessageWriter {
public:
    /// `body`: the body TLV, in pieces that follow each other. `more`: octets expected of
    /// protection and extraCerts, so that they find room.
    MessageWriter(const HeaderFields& header, std::span<const ByteView> body, std::size_t more);

    /// The DER of ProtectedPart (RFC 9810 5.1.3), into this buffer: until finish().
    [[nodiscard]] ByteView protected_part() const noexcept;

    /// `protection`: octets of the BIT STRING, empty: absent. `extra_certs`: Certificate TLVs, each
    /// or several in one view; none: absent.
    [[nodiscard]] Bytes finish(ByteView protection, std::span<const ByteView> extra_certs) &&;

private:
    std::size_t put_header(std::size_t length) noexcept;

    Bytes buffer_;  // room for one SEQUENCE header, then PKIHeader and PKIBody
    std::size_t part_ = 0;
};

/// The octets before a PKIMessage of this size that make it the one message of a nested body
/// (RFC 9810 5.1.3.5): [20] EXPLICIT SEQUENCE OF.
[[nodiscard]] Bytes nested_body_prefix(std::size_t message_size);

}  // namespace ra::cmp
