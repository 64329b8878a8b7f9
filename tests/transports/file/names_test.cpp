#include "transports/file/names.h"

#include <doctest/doctest.h>

#include <optional>

using namespace transports::file;
using ra::Bytes;

TEST_SUITE("transports/file") {
    TEST_CASE("names: what is a message, by its name") {
        struct Row {
            const char* name;
            bool is;
        };
        const Row rows[] = {
            {"a.pki", true},     {"20261125T021500Z-1f.pki", true},
            {"a.b.pki", true},   {"..pki", false},
            {".pki", false},     {".a.pki", false},
            {"", false},         {"a", false},
            {"a.PKI", false},    {"a.pki.tmp", false},
            {"a.pki~", false},   {"a/b.pki", false},
            {"../a.pki", false}, {"a b.pki", false},
            {"a\n.pki", false},  {"\xc3\xa4.pki", false},
        };
        for (const Row& row : rows) {
            CAPTURE(row.name);
            CHECK(is_message_name(row.name) == row.is);
        }
        CHECK(is_message_name(std::string(196, 'a') + ".pki"));
        CHECK_FALSE(is_message_name(std::string(197, 'a') + ".pki"));
        CHECK_FALSE(is_message_name(std::string_view{"a\0.pki", 6}));
    }

    TEST_CASE("names: whole, or not yet, by the first octets") {
        struct Row {
            const char* name;
            Bytes octets;
            Wholeness want;
        };
        Bytes long_one = {0x30, 0x81, 0x80};
        long_one.resize(3 + 128);
        const Row rows[] = {
            {"nothing", {}, Wholeness::unfinished},
            {"a tag", {0x30}, Wholeness::unfinished},
            {"whole", {0x30, 0x01, 0x05}, Wholeness::whole},
            {"empty SEQUENCE", {0x30, 0x00}, Wholeness::whole},
            {"one octet missing", {0x30, 0x02, 0x05}, Wholeness::unfinished},
            {"one too many", {0x30, 0x01, 0x05, 0x00}, Wholeness::surplus},
            {"long form", long_one, Wholeness::whole},
            {"within its length", {0x30, 0x82, 0x01}, Wholeness::unfinished},
            {"4 GiB", {0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0x00}, Wholeness::unfinished},
            {"length of five octets", {0x30, 0x85, 1, 1, 1, 1, 1}, Wholeness::other},
            {"indefinite length (BER)", {0x30, 0x80, 0x00, 0x00}, Wholeness::other},
            {"no SEQUENCE", {0x04, 0x00}, Wholeness::other},
            {"text", {'-', '-', '-'}, Wholeness::other},
        };
        for (const Row& row : rows) {
            CAPTURE(row.name);
            CHECK(judge_octets(row.octets) == row.want);
        }
        // Every proper prefix of a whole message is one that is waited for.
        for (std::size_t size = 0; size < long_one.size(); ++size) {
            CHECK(judge_octets(ra::ByteView{long_one}.first(size)) == Wholeness::unfinished);
        }
    }

    TEST_CASE("names: others made of them") {
        CHECK(numbered("a.pki", 0) == "a.pki");
        CHECK(numbered("a.pki", 12) == "a.12.pki");
        CHECK(numbered("a.b.pki", 1) == "a.b.1.pki");
        CHECK(reason_name("a.pki") == "a.why");
        CHECK(is_message_name(numbered("a.pki", 999)));
    }
}
