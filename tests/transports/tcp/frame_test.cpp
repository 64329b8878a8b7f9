#include "transports/tcp/frame.h"

#include <doctest/doctest.h>

#include <array>
#include <vector>

using namespace transports::tcp;
using ra::Bytes;
using ra::ByteView;
using Stage = FrameReader::Stage;

namespace {

Stage feed(FrameReader& reader, ByteView octets, std::size_t piece = 1024) {
    Stage stage = Stage::need_more;
    while (!octets.empty() && stage == Stage::need_more) {
        ByteView part = octets.first(std::min(piece, octets.size()));
        const std::size_t offered = part.size();
        stage = reader.feed(part);
        octets = octets.subspan(offered - part.size());
    }
    return stage;
}

}  // namespace

TEST_SUITE("transports/tcp") {
    TEST_CASE("FrameReader: both framings, told apart by octet 4") {
        struct Row {
            const char* name;
            Bytes octets;
            Stage want;
            Framing framing;
            std::uint8_t type;
            bool close;
            Bytes value;
        };
        const Row rows[] = {
            {"versioned request",
             {0, 0, 0, 5, 10, 0, 0, 0xaa, 0xbb},
             Stage::done,
             Framing::versioned,
             0,
             false,
             {0xaa, 0xbb}},
            {"close flag",
             {0, 0, 0, 4, 10, 1, 0, 0xaa},
             Stage::done,
             Framing::versioned,
             0,
             true,
             {0xaa}},
            {"flags nobody knows are ignored",
             {0, 0, 0, 4, 10, 0xfe, 5, 0xaa},
             Stage::done,
             Framing::versioned,
             5,
             false,
             {0xaa}},
            {"a later version",
             {0, 0, 0, 4, 11, 0, 0, 0xaa},
             Stage::done,
             Framing::versioned,
             0,
             false,
             {0xaa}},
            {"empty value", {0, 0, 0, 3, 10, 0, 3}, Stage::done, Framing::versioned, 3, false, {}},
            {"RFC 2510 pkiMsg",
             {0, 0, 0, 3, 0, 0xaa, 0xbb},
             Stage::done,
             Framing::rfc2510,
             0,
             false,
             {0xaa, 0xbb}},
            {"RFC 2510 flag without value",
             {0, 0, 0, 1, 3},
             Stage::done,
             Framing::rfc2510,
             3,
             false,
             {}},
            {"nothing yet", {0, 0, 0}, Stage::need_more, Framing::rfc2510, 0, false, {}},
            {"half a long head",
             {0, 0, 0, 5, 10},
             Stage::need_more,
             Framing::versioned,
             0,
             false,
             {}},
            {"half a value",
             {0, 0, 0, 3, 0, 0xaa},
             Stage::need_more,
             Framing::rfc2510,
             0,
             false,
             {0xaa}},
            {"length 0, RFC 2510",
             {0, 0, 0, 0, 0},
             Stage::malformed,
             Framing::rfc2510,
             0,
             false,
             {}},
            {"length 2, versioned",
             {0, 0, 0, 2, 10, 0, 0},
             Stage::malformed,
             Framing::versioned,
             0,
             false,
             {}},
            {"one octet over the bound",
             {0, 0, 0, 18, 0},
             Stage::too_large,
             Framing::rfc2510,
             0,
             false,
             {}},
            {"4 GiB",
             {0xff, 0xff, 0xff, 0xff, 10, 0, 0},
             Stage::too_large,
             Framing::versioned,
             0,
             false,
             {}},
        };
        for (const Row& row : rows) {
            for (const std::size_t piece : {std::size_t{1}, std::size_t{2}, std::size_t{64}}) {
                CAPTURE(row.name);
                CAPTURE(piece);
                FrameReader reader{16};
                CHECK(feed(reader, row.octets, piece) == row.want);
                CHECK(reader.begun());
                if (row.want != Stage::done) continue;
                CHECK(reader.frame().framing == row.framing);
                CHECK(reader.frame().type == row.type);
                CHECK(reader.frame().close == row.close);
                CHECK(reader.frame().value == row.value);
            }
        }
    }

    TEST_CASE("FrameReader: takes one frame and leaves the next") {
        const Bytes two = {0, 0, 0, 2, 0, 0xaa, 0, 0, 0, 2, 0, 0xbb};
        ByteView octets = two;
        FrameReader first{16};
        REQUIRE(first.feed(octets) == Stage::done);
        CHECK(octets.size() == 6);
        FrameReader second{16};
        REQUIRE(second.feed(octets) == Stage::done);
        CHECK(octets.empty());
        CHECK(second.frame().value == Bytes{0xbb});
    }

    TEST_CASE("FrameHead: what it writes reads back") {
        for (const Framing framing : {Framing::rfc2510, Framing::versioned}) {
            for (const bool close : {false, true}) {
                const FrameHead head{framing, FrameType::pki_rep, 3, close};
                Bytes whole = ra::to_bytes(head.octets());
                ra::append(whole, Bytes{1, 2, 3});
                FrameReader reader{16};
                REQUIRE(feed(reader, whole) == Stage::done);
                CHECK(reader.frame().framing == framing);
                CHECK(reader.frame().type == 5);
                // RFC 2510 has no way to say it.
                CHECK(reader.frame().close == (close && framing == Framing::versioned));
            }
        }
    }

    TEST_CASE("Values: polls and errors") {
        const auto value = poll_rep_value(0x01020304, 60);
        const auto read = read_poll_rep(value);
        REQUIRE(read.has_value());
        CHECK(read->reference == 0x01020304);
        CHECK(read->check_back == 60);
        CHECK_FALSE(read_poll_rep(ByteView{value}.first(7)).has_value());
        CHECK(read_poll_req(ByteView{value}.first(4)) == 0x01020304U);
        CHECK_FALSE(read_poll_req(value).has_value());

        const std::uint8_t type[] = {9};
        CHECK(error_value(Framing::versioned, FrameError::invalid_message_type, type, "no") ==
              Bytes{0x02, 0x01, 0, 1, 9, 'n', 'o'});
        CHECK(error_value(Framing::rfc2510, FrameError::invalid_message_type, type, "no") ==
              Bytes{'n', 'o'});
    }
}
