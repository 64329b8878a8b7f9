#include <doctest/doctest.h>

#include "ra/asn1/certificate.h"
#include "ra/asn1/der_writer.h"
#include "ra/asn1/name.h"
#include "ra/asn1/oids.h"
#include "ra/asn1/time.h"

namespace ra::asn1 {
namespace {

TEST_SUITE("ra/asn1") {
    TEST_CASE("times: the forms of RFC 5280 and no other") {
        struct Row {
            const char* text;
            const char* want;  // nullptr: refused
        };
        const Row generalized[] = {
            {"20260301120000Z", "2026-03-01 12:00:00Z"},
            {"20240229235959Z", "2024-02-29 23:59:59Z"},
            {"99991231235959Z", "9999-12-31 23:59:59Z"},
            {"19500101000000Z", "1950-01-01 00:00:00Z"},
            {"20250229000000Z", nullptr},
            {"20261301000000Z", nullptr},
            {"20260001000000Z", nullptr},
            {"20260132000000Z", nullptr},
            {"20260101240000Z", nullptr},
            {"20260101006000Z", nullptr},
            {"20260101000060Z", nullptr},
            {"20260301120000.5Z", nullptr},
            {"202603011200Z", nullptr},
            {"20260301120000", nullptr},
            {"20260301120000+0100", nullptr},
            {"2026030112 000Z", nullptr},
            {"-0260301120000Z", nullptr},
            {"", nullptr},
        };
        for (const Row& row : generalized) {
            CAPTURE(row.text);
            const auto got = parse_generalized_time(as_bytes(row.text), "time");
            REQUIRE(got.has_value() == (row.want != nullptr));
            if (!got.has_value()) continue;
            CHECK(readable_time(*got) == row.want);
            CHECK(generalized_time(*got) == row.text);
        }
        const Row utc[] = {
            {"491231235959Z", "2049-12-31 23:59:59Z"},
            {"500101000000Z", "1950-01-01 00:00:00Z"},
            {"4912312359Z", nullptr},
            {"491231235959+0000", nullptr},
            {"491331235959Z", nullptr},
            {"x91231235959Z", nullptr},
        };
        for (const Row& row : utc) {
            CAPTURE(row.text);
            const auto got = parse_utc_time(as_bytes(row.text), "time");
            REQUIRE(got.has_value() == (row.want != nullptr));
            if (got.has_value()) CHECK(readable_time(*got) == row.want);
        }
    }

    TEST_CASE("OIDs: dotted form both ways, names both ways") {
        for (const char* text : {"2.5.4.3", "1.2.840.113549.1.9.14", "0.9.2342.19200300.100.1.25",
                                 "2.999.1", "2.16.840.1.101.3.4.3.18", "1.3.6.1.5.5.7.4.13"}) {
            CAPTURE(text);
            CHECK(dotted(parse_dotted(text)) == text);
        }
        for (const char* text : {"", ".", "1", "1.", ".1", "1..2", "3.1", "1.40", "0.40", "1.2.x",
                                 "1.2.", "-1.2", "1.2.99999999999999999999"}) {
            CAPTURE(text);
            CHECK(parse_dotted(text).empty());
        }
        CHECK(dotted({}) == "?");
        CHECK(dotted(Bytes{0x55, 0x84}) == "?");
        CHECK(oid_name(oid("2.5.4.3").view()) == "CN");
        CHECK(oid_name(oid("1.2.3.4").view()) == "1.2.3.4");
        CHECK(equal(oid_by_name("implicitConfirm"), oid("1.3.6.1.5.5.7.4.13").view()));
        CHECK(oid_by_name("no such name").empty());
    }

    Bytes name_of(Tag tag, ByteView value) {
        DerWriter writer;
        {
            const auto name = writer.open(Tag::sequence);
            const auto rdn = writer.open(Tag::set);
            const auto attribute = writer.open(Tag::sequence);
            writer.oid(oid("2.5.4.3").view());
            writer.tlv(tag, value);
        }
        return std::move(writer).take();
    }

    TEST_CASE("names: printed so that a terminal shows them and does nothing else") {
        struct Row {
            const char* name;
            Tag tag;
            Bytes value;
            const char* want;
        };
        const Row rows[] = {
            {"plain", Tag::utf8_string, to_bytes(as_bytes("device 1")), "CN=device 1"},
            {"umlaut", Tag::utf8_string, {0xc3, 0xa4}, "CN=\xc3\xa4"},
            {"comma", Tag::utf8_string, to_bytes(as_bytes("a,b")), "CN=a\\,b"},
            {"escape sequence", Tag::utf8_string, {0x1b, '[', 'm'}, "CN=\\1b[m"},
            {"line feed", Tag::utf8_string, {'a', 0x0a, 'b'}, "CN=a\\0ab"},
            {"C1 control", Tag::utf8_string, {0xc2, 0x9b}, "CN=\\c2\\9b"},
            {"right-to-left override", Tag::utf8_string, {0xe2, 0x80, 0xae}, "CN=\\e2\\80\\ae"},
            {"T61String", static_cast<Tag>(0x14), {0xe4}, "CN=\xc3\xa4"},
            {"BMPString", static_cast<Tag>(0x1e), {0x20, 0xac}, "CN=\xe2\x82\xac"},
            {"half a BMPString", static_cast<Tag>(0x1e), {0x20}, "?"},
            {"surrogate", static_cast<Tag>(0x1e), {0xd8, 0x00}, "?"},
            {"not UTF-8", Tag::utf8_string, {0xff}, "?"},
            {"IA5String with 8 bits", Tag::ia5_string, {0xe4}, "?"},
            {"PrintableString with a NUL", Tag::printable_string, {'a', 0x00}, "?"},
        };
        for (const Row& row : rows) {
            CAPTURE(row.name);
            CHECK(name_text(name_of(row.tag, row.value)) == row.want);
        }
        CHECK(name_text(Bytes{0x30, 0x00}).empty());
        CHECK(name_text(Bytes{0x30, 0x02, 0x31, 0x00}) == "?");
        CHECK(name_text(Bytes{0x31, 0x00}) == "?");
        CHECK(name_text({}) == "?");
        CHECK(escaped(std::string{'\xff', 'a'}) == "\\ffa");
        CHECK(general_name_text(Bytes{0x87, 4, 192, 0, 2, 7}) == "ip:192.0.2.7");
        CHECK(general_name_text(Bytes{0x82, 2, 'a', 'b'}) == "dns:ab");
        CHECK(general_name_text(Bytes{0x82, 2, 'a'}) == "?");
    }

    TEST_CASE("Extension: a default is left out in CMP, may stand in certificates") {
        const auto read = [](bool critical_written, std::uint8_t critical, Defaults defaults) {
            DerWriter writer;
            {
                const auto extension = writer.open(Tag::sequence);
                writer.oid(oid("2.5.29.15").view());
                if (critical_written) writer.tlv(Tag::boolean, {&critical, 1});
                writer.octet_string({});
            }
            DerReader reader{writer.view()};
            return read_extension(reader, defaults).has_value();
        };
        CHECK(read(false, 0, Defaults::omitted));
        CHECK(read(true, 0xff, Defaults::omitted));
        CHECK(read(true, 0x00, Defaults::may_be_encoded));
        CHECK_FALSE(read(true, 0x00, Defaults::omitted));
        CHECK_FALSE(read(true, 0x01, Defaults::may_be_encoded));
    }

    TEST_CASE("Certificate: what is none is refused, without reading past its end") {
        for (const Bytes& der : {Bytes{}, Bytes{0x30}, Bytes{0x30, 0x00}, Bytes{0x31, 0x00},
                                 Bytes{0x30, 0x02, 0x30, 0x00}, Bytes{0x30, 0x80, 0x00, 0x00}}) {
            CAPTURE(to_hex(der));
            CHECK_FALSE(parse_certificate(der).has_value());
        }
    }
}

}  // namespace
}  // namespace ra::asn1
