#include "ra/asn1/der_reader.h"

#include <doctest/doctest.h>

#include "ra/asn1/der_writer.h"

namespace ra::asn1 {
namespace {

using Want = std::optional<Errc>;

TEST_SUITE("ra/asn1") {
    TEST_CASE("DerReader: tags and lengths") {
        struct Row {
            const char* name;
            Bytes der;
            Want want;
        };
        Bytes longest{0x04, 0x83, 0x01, 0x00, 0x00};
        longest.resize(5 + 0x10000);
        Bytes two{0x04, 0x82, 0x01, 0x00};
        two.resize(4 + 0x100);
        const Row rows[] = {
            {"empty value", {0x04, 0x00}, std::nullopt},
            {"one octet", {0x04, 0x01, 0xff}, std::nullopt},
            {"two length octets", two, std::nullopt},
            {"three length octets", longest, std::nullopt},
            {"nothing", {}, Errc::missing},
            {"tag alone", {0x04}, Errc::truncated},
            {"one octet missing", {0x04, 0x02, 0x01}, Errc::truncated},
            {"length octet missing", {0x04, 0x81}, Errc::truncated},
            {"second length octet missing", {0x04, 0x82, 0x01}, Errc::truncated},
            {"indefinite (BER)", {0x04, 0x80, 0x00, 0x00}, Errc::bad_length},
            {"long form for < 128", {0x04, 0x81, 0x01, 0xff}, Errc::bad_length},
            {"long form for 127", {0x04, 0x81, 0x7f}, Errc::bad_length},
            {"leading zero in the length", {0x04, 0x82, 0x00, 0x80}, Errc::bad_length},
            {"four length octets", {0x04, 0x84, 0x01, 0x00, 0x00, 0x00}, Errc::bad_length},
            {"reserved length ff", {0x04, 0xff}, Errc::bad_length},
            {"another tag", {0x02, 0x01, 0x00}, Errc::bad_tag},
            {"string in pieces (BER)", {0x24, 0x02, 0x04, 0x00}, Errc::bad_tag},
        };
        for (const Row& row : rows) {
            CAPTURE(row.name);
            DerReader reader{row.der};
            const auto got = reader.read(Tag::octet_string, "field");
            REQUIRE(got.has_value() == !row.want);
            if (got.has_value()) {
                CHECK(reader.at_end());
                continue;
            }
            CHECK(got.error().code == *row.want);
            CHECK(got.error().field == "field");
            CHECK(reader.offset() == 0);
        }
    }

    TEST_CASE("DerReader: forms only BER has are refused by read_any") {
        const Bytes rows[] = {
            {0x00, 0x00},              // end of contents
            {0x24, 0x00},              // constructed OCTET STRING
            {0x23, 0x00},              // constructed BIT STRING
            {0x2c, 0x00},              // constructed UTF8String
            {0x22, 0x00},              // constructed INTEGER
            {0x10, 0x00},              // primitive SEQUENCE
            {0x11, 0x00},              // primitive SET
            {0x1f, 0x81, 0x00, 0x00},  // high tag number
            {0xbf, 0x1f, 0x00},        // high tag number, context
        };
        for (const Bytes& row : rows) {
            CAPTURE(to_hex(row));
            DerReader reader{row};
            const auto got = reader.read_any("any");
            REQUIRE_FALSE(got.has_value());
            CHECK(got.error().code == Errc::bad_tag);
        }
    }

    TEST_CASE("DerReader: integers") {
        struct Row {
            const char* name;
            Bytes der;
            std::optional<std::int64_t> want;
        };
        const Row rows[] = {
            {"0", {0x02, 0x01, 0x00}, 0},
            {"127", {0x02, 0x01, 0x7f}, 127},
            {"128", {0x02, 0x02, 0x00, 0x80}, 128},
            {"-1", {0x02, 0x01, 0xff}, -1},
            {"-129", {0x02, 0x02, 0xff, 0x7f}, -129},
            {"most", {0x02, 8, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, INT64_MAX},
            {"least", {0x02, 8, 0x80, 0, 0, 0, 0, 0, 0, 0}, INT64_MIN},
            {"no content", {0x02, 0x00}, std::nullopt},
            {"leading zeros", {0x02, 0x02, 0x00, 0x01}, std::nullopt},
            {"zero in two octets", {0x02, 0x02, 0x00, 0x00}, std::nullopt},
            {"leading ones", {0x02, 0x02, 0xff, 0xff}, std::nullopt},
            {"nine octets", {0x02, 9, 1, 0, 0, 0, 0, 0, 0, 0, 0}, std::nullopt},
            {"an ENUMERATED", {0x0a, 0x01, 0x00}, std::nullopt},
        };
        for (const Row& row : rows) {
            CAPTURE(row.name);
            DerReader reader{row.der};
            const auto got = reader.read_integer("n");
            REQUIRE(got.has_value() == row.want.has_value());
            if (!got.has_value()) {
                CHECK(reader.offset() == 0);
                continue;
            }
            CHECK(*got == *row.want);
            DerWriter writer;
            writer.integer(*got);
            CHECK(equal(writer.view(), row.der));
        }
        const Bytes minus{0x02, 0x01, 0xff};
        const Bytes four{0x02, 0x01, 0x04};
        CHECK_FALSE(DerReader{minus}.read_unsigned("n", 255).has_value());
        CHECK_FALSE(DerReader{four}.read_unsigned("n", 3).has_value());
        CHECK(DerReader{four}.read_unsigned("n", 4).value() == 4);
    }

    TEST_CASE("DerReader: OID, BIT STRING, BOOLEAN, NULL, UTF8String") {
        const auto oid = [](Bytes der) { return DerReader{der}.read_oid("o").has_value(); };
        CHECK(oid({0x06, 0x03, 0x55, 0x04, 0x03}));
        CHECK_FALSE(oid({0x06, 0x00}));
        CHECK_FALSE(oid({0x06, 0x02, 0x55, 0x80}));
        CHECK_FALSE(oid({0x06, 0x03, 0x55, 0x80, 0x01}));
        CHECK_FALSE(oid({0x06, 0x01, 0x80}));

        const auto bits = [](Bytes der) { return DerReader{der}.read_bit_string("b").has_value(); };
        CHECK(bits({0x03, 0x01, 0x00}));
        CHECK(bits({0x03, 0x02, 0x00, 0xff}));
        CHECK_FALSE(bits({0x03, 0x00}));
        CHECK_FALSE(bits({0x03, 0x02, 0x01, 0xfe}));
        CHECK_FALSE(bits({0x03, 0x02, 0x08, 0x00}));

        const auto boolean = [](Bytes der) { return DerReader{der}.read_boolean("b").has_value(); };
        CHECK(boolean({0x01, 0x01, 0x00}));
        CHECK(boolean({0x01, 0x01, 0xff}));
        CHECK_FALSE(boolean({0x01, 0x01, 0x01}));
        CHECK_FALSE(boolean({0x01, 0x00}));
        CHECK_FALSE(boolean({0x01, 0x02, 0xff, 0xff}));

        const auto null = [](Bytes der) { return DerReader{der}.read_null("n").has_value(); };
        CHECK(null({0x05, 0x00}));
        CHECK_FALSE(null({0x05, 0x01, 0x00}));

        const auto utf8 = [](Bytes text) {
            DerWriter writer;
            writer.tlv(Tag::utf8_string, text);
            return DerReader{writer.view()}.read_utf8("u").has_value();
        };
        CHECK(utf8({}));
        CHECK(utf8({'a', 0xc3, 0xa4, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x98, 0x80}));
        CHECK_FALSE(utf8({0x80}));
        CHECK_FALSE(utf8({0xc3}));
        CHECK_FALSE(utf8({0xc0, 0xaf}));              // overlong
        CHECK_FALSE(utf8({0xe0, 0x80, 0xaf}));        // overlong
        CHECK_FALSE(utf8({0xf0, 0x80, 0x80, 0xaf}));  // overlong
        CHECK_FALSE(utf8({0xed, 0xa0, 0x80}));        // surrogate
        CHECK_FALSE(utf8({0xf4, 0x90, 0x80, 0x80}));  // above 10ffff
        CHECK_FALSE(utf8({0xff}));
        CHECK_FALSE(utf8({0xe2, 0x28, 0xa1}));
    }

    TEST_CASE("DerReader: named bits") {
        struct Row {
            const char* name;
            Bytes content;
            std::optional<std::uint32_t> want;
        };
        const Row rows[] = {
            {"none", {0x00}, 0},
            {"bit 0", {0x07, 0x80}, 1},
            {"bit 9", {0x06, 0x00, 0x40}, 1U << 9U},
            {"bit 26", {0x05, 0x00, 0x00, 0x00, 0x20}, 1U << 26U},
            {"bits 0 and 6", {0x01, 0x82}, 0x41},
            {"no octet", {}, std::nullopt},
            {"unused bits of nothing", {0x01}, std::nullopt},
            {"eight unused", {0x08, 0x80}, std::nullopt},
            {"trailing zero bits", {0x00, 0x80}, std::nullopt},
            {"trailing zero octet", {0x00, 0x80, 0x00}, std::nullopt},
            {"unused bits set", {0x07, 0xc0}, std::nullopt},
            {"33 bits", {0x07, 0, 0, 0, 0, 0x80}, std::nullopt},
        };
        for (const Row& row : rows) {
            CAPTURE(row.name);
            DerWriter writer;
            writer.tlv(Tag::bit_string, row.content);
            const auto got = DerReader{writer.view()}.read_named_bits("bits");
            REQUIRE(got.has_value() == row.want.has_value());
            if (got.has_value()) CHECK(*got == *row.want);
        }
    }

    TEST_CASE("DerReader: OPTIONAL, nested offsets, end") {
        const Bytes der{0x30, 0x05, 0x02, 0x01, 0x07, 0x05, 0x00};
        DerReader outer{der};
        const auto content = outer.read(Tag::sequence, "outer");
        REQUIRE(content.has_value());
        CHECK(outer.expect_end("outer").has_value());
        DerReader inner = outer.inside(*content);
        CHECK(inner.offset() == 2);
        CHECK_FALSE(inner.read_optional(Tag::boolean, "flag").value().has_value());
        CHECK(inner.read_integer("n").value() == 7);
        const auto end = inner.expect_end("outer");
        REQUIRE_FALSE(end.has_value());
        CHECK(end.error().code == Errc::trailing_data);
        CHECK(end.error().offset == 5);
        CHECK(inner.read_null("null").has_value());
        CHECK(inner.read_integer("n").error().code == Errc::missing);
    }

    TEST_CASE("S-30: check_der stops at the depth it was given") {
        Bytes der{0x30, 0x00};
        for (unsigned depth = 1; depth < 40; ++depth) {
            CAPTURE(depth);
            CHECK(check_der(der, depth, "deep").has_value());
            const auto refused = check_der(der, depth - 1, "deep");
            REQUIRE_FALSE(refused.has_value());
            CHECK(refused.error().code == Errc::too_deep);
            Bytes wrapped;
            append_header(wrapped, Tag::sequence, der.size());
            append(wrapped, der);
            der = std::move(wrapped);
        }
        CHECK_FALSE(check_der(Bytes{0x30, 0x02, 0x04, 0x01}, 5, "cut").has_value());
    }

    TEST_CASE("DerWriter: what it writes reads back, whatever its length") {
        for (const std::size_t size : {0U, 1U, 127U, 128U, 255U, 256U, 65535U, 65536U}) {
            CAPTURE(size);
            DerWriter writer;
            {
                const auto outer = writer.open(Tag::sequence);
                writer.octet_string(Bytes(size, 0x5a));
                writer.boolean(true);
                writer.bit_string(Bytes(size, 0xa5));
            }
            const Bytes der = std::move(writer).take();
            DerReader reader{der};
            const auto content = reader.read(Tag::sequence, "outer");
            REQUIRE(content.has_value());
            DerReader inner = reader.inside(*content);
            CHECK(equal(inner.read(Tag::octet_string, "o").value(), Bytes(size, 0x5a)));
            CHECK(inner.read_boolean("b").value());
            CHECK(equal(inner.read_bit_string("s").value(), Bytes(size, 0xa5)));
            CHECK(inner.at_end());
            CHECK(reader.at_end());
        }
    }
}

}  // namespace
}  // namespace ra::asn1
