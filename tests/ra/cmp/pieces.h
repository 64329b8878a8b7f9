#pragma once

#include <doctest/doctest.h>

#include <initializer_list>
#include <optional>
#include <vector>

#include "ra/asn1/der_writer.h"
#include "ra/cmp/body.h"

/// DER in pieces, and table tests over a parse function of ra/cmp/body.h.
namespace ra::cmp::test {

using asn1::context;
using asn1::DerWriter;
using asn1::Tag;

inline Bytes tlv(Tag tag, const Bytes& content) {
    DerWriter writer;
    writer.tlv(tag, content);
    return std::move(writer).take();
}

inline Bytes seq(const Bytes& content) { return tlv(Tag::sequence, content); }

inline Bytes join(std::initializer_list<Bytes> parts) {
    Bytes all;
    for (const Bytes& part : parts) append(all, part);
    return all;
}

inline Bytes repeat(const Bytes& part, unsigned times) {
    Bytes all;
    for (unsigned i = 0; i < times; ++i) append(all, part);
    return all;
}

inline const Bytes kSpki = seq({0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 2, 0, 0x42});
inline const Bytes kAlgorithm = seq({6, 3, 0x2b, 0x65, 0x70});
inline const Bytes kZero{0x02, 0x01, 0x00};
inline const Bytes kAccepted = seq({0x02, 0x01, 0x00});
inline const Bytes kName = seq(tlv(Tag::set, seq({6, 3, 0x55, 4, 3, 0x0c, 1, 'x'})));

/// The content of a body TLV.
inline Bytes inside(const Bytes& body) {
    asn1::DerReader reader{body};
    return to_bytes(reader.read_any("body").value().content);
}

struct Row {
    const char* name;
    Bytes content;
    std::optional<Errc> want;
};

template <class Parse>
void check_rows(const Parse& parse, const std::vector<Row>& rows) {
    for (const Row& row : rows) {
        CAPTURE(row.name);
        const auto got = parse(row.content, std::size_t{100}, Limits{});
        REQUIRE(got.has_value() == !row.want);
        if (got.has_value()) {
            for (std::size_t size = 0; size < row.content.size(); ++size) {
                CHECK_FALSE(parse(ByteView{row.content.data(), size}, 100, Limits{}).has_value());
            }
            continue;
        }
        CHECK(got.error().code == *row.want);
        CHECK(got.error().offset >= 100);
        CHECK(got.error().offset <= 100 + row.content.size());
    }
}

/// CertReqMessages of one CertReqMsg with this template, controls and what follows certReq.
inline Bytes request(const Bytes& cert_template, const Bytes& controls = {},
                     const Bytes& rest = {}) {
    return seq(seq(join({seq(join({kZero, seq(cert_template), controls})), rest})));
}

}  // namespace ra::cmp::test
