#include "policy/pattern.h"

#include "policy/distinguished_name.h"
#include "policy/pattern_match.h"
#include "tests/policy/support.h"

using namespace policy_test;

TEST_SUITE("policy") {
    TEST_CASE("S-14: a subject pattern is compared literally, RDN by RDN") {
        const Bytes sender_name = crypto::name_of("CN=dev1,O=Example");
        const Sender dev1{sender_name, false};
        struct Row {
            const char* name;
            const char* pattern;
            const char* subject;
            bool want;
        };
        const Row rows[] = {
            {"sender's name, fixed rest", "CN=${sender.CN},OU=Line 3,O=Example",
             "CN=dev1,OU=Line 3,O=Example", true},
            {"the other way round", "O=Example,OU=Line 3,CN=${sender.CN}",
             "CN=dev1,OU=Line 3,O=Example", true},
            {"another device's name", "CN=${sender.CN},O=Example", "CN=dev2,O=Example", false},
            {"another case", "CN=${sender.CN},O=Example", "CN=DEV1,O=Example", false},
            {"prefix of the name", "CN=${sender.CN},O=Example", "CN=dev,O=Example", false},
            {"name with a tail", "CN=${sender.CN},O=Example", "CN=dev11,O=Example", false},
            {"one RDN more", "CN=${sender.CN},O=Example", "CN=dev1,OU=x,O=Example", false},
            {"one RDN less", "CN=${sender.CN},O=Example", "CN=dev1", false},
            {"other type", "CN=${sender.CN},O=Example", "OU=dev1,O=Example", false},
            {"shuffled", "CN=${sender.CN},OU=Line 3,O=Example", "OU=Line 3,CN=dev1,O=Example",
             false},
            {"* is one value", "CN=*,O=Example", "CN=anything,O=Example", true},
            {"* is not two", "CN=*", "CN=anything,O=Example", false},
            {"part of a value", "CN=${sender.CN}-*,O=Example", "CN=dev1-web,O=Example", true},
            {"* is not nothing", "CN=${sender.CN}-*,O=Example", "CN=dev1-,O=Example", false},
            {"attribute the sender lacks", "CN=${sender.serialNumber}", "CN=dev1", false},
            {"any name", "*", "CN=whoever,O=Elsewhere", true},
        };
        for (const Row& row : rows) {
            CAPTURE(row.name);
            CHECK(matches(NamePattern::parse(row.pattern), crypto::name_of(row.subject), dev1) ==
                  row.want);
        }
    }

    TEST_CASE("S-14: what a certificate says never becomes syntax") {
        const Bytes star_name = crypto::name_of("CN=*");
        const Sender star{star_name, false};
        CHECK_FALSE(
            matches(NamePattern::parse("CN=${sender.CN}"), crypto::name_of("CN=victim"), star));
        CHECK(matches(NamePattern::parse("CN=${sender.CN}"), crypto::name_of("CN=*"), star));
        CHECK_FALSE(matches(DnsPattern::parse("${sender.CN}.example"), "victim.example", star));
        CHECK_FALSE(matches(DnsPattern::parse("${sender.CN}.example"), "*.example", star));

        const Bytes twice_name = crypto::name_of("CN=a,CN=b");
        CHECK_FALSE(sender_value({twice_name, false}, attribute_type("CN")).has_value());

        // RDNSequence { CN = "a\0b" }
        const Bytes nul_name{0x30, 0x0e, 0x31, 0x0c, 0x30, 0x0a, 0x06, 0x03,
                             0x55, 0x04, 0x03, 0x0c, 0x03, 'a',  0x00, 'b'};
        CHECK_FALSE(sender_value({nul_name, false}, attribute_type("CN")).has_value());
        CHECK_FALSE(matches(NamePattern::parse("CN=*"), nul_name, {}));
    }

    TEST_CASE("S-14: an RA speaks for others within the rest of the pattern") {
        const Bytes ra_name = crypto::name_of("CN=RA,O=Example");
        const Sender ra{ra_name, true};
        CHECK(matches(NamePattern::parse("CN=${sender.CN},O=Example"),
                      crypto::name_of("CN=dev7,O=Example"), ra));
        CHECK_FALSE(matches(NamePattern::parse("CN=${sender.CN},O=Example"),
                            crypto::name_of("CN=dev7,O=Other"), ra));
    }

    TEST_CASE("S-14: a * in a DNS name is one label") {
        const Bytes sender_name = crypto::name_of("CN=Dev1.line3.example");
        const Sender sender{sender_name, false};
        struct Row {
            const char* name;
            const char* pattern;
            const char* value;
            bool want;
        };
        const Row rows[] = {
            {"one label", "*.line3.example", "dev1.line3.example", true},
            {"no case", "*.line3.example", "DEV1.Line3.Example", true},
            {"part of a label", "dev-*.example", "dev-7.example", true},
            {"whole name of the sender", "${sender.CN}", "dev1.line3.example", true},
            {"two labels", "*.line3.example", "a.b.line3.example", false},
            {"no label", "*.line3.example", "line3.example", false},
            {"empty label", "*.line3.example", ".line3.example", false},
            {"trailing dot", "*.line3.example", "dev1.line3.example.", false},
            {"other domain", "*.line3.example", "dev1.line3.example.org", false},
            {"suffix only", "*.line3.example", "dev1.evil-line3.example", false},
            {"wildcard certificate", "*.line3.example", "*.line3.example", false},
            {"space", "*.line3.example", "dev 1.line3.example", false},
            {"whole name of another", "${sender.CN}", "dev2.line3.example", false},
            {"empty", "*", "", false},
        };
        for (const Row& row : rows) {
            CAPTURE(row.name);
            CHECK(matches(DnsPattern::parse(row.pattern), row.value, sender) == row.want);
        }
    }

    TEST_CASE("addresses, URIs and keys") {
        const auto address = [](std::initializer_list<std::uint8_t> octets) {
            return Bytes(octets);
        };
        CHECK(matches(IpRange::parse("192.0.2.0/24"), address({192, 0, 2, 77})));
        CHECK_FALSE(matches(IpRange::parse("192.0.2.0/24"), address({192, 0, 3, 77})));
        CHECK_FALSE(matches(IpRange::parse("192.0.2.0/25"), address({192, 0, 2, 200})));
        CHECK_FALSE(matches(IpRange::parse("0.0.0.0/0"), Bytes(16)));
        CHECK_FALSE(
            matches(IpRange::parse("192.0.2.0/24"), address({192, 0, 2, 0, 255, 255, 255, 0})));

        CHECK(matches(TextPattern::parse("urn:dev:*"), "urn:dev:7", {}));
        CHECK_FALSE(
            matches(TextPattern::parse("https://*.example/"), "https://evil.org/x.example/", {}));
        CHECK_FALSE(matches(TextPattern::parse("*@example.com"), "a@evil.org@example.com", {}));

        CHECK(matches(KeyPattern::parse("ec:P-256"), {"ec", "P-256", 256}));
        CHECK_FALSE(matches(KeyPattern::parse("ec:P-256"), {"ec", "P-384", 384}));
        CHECK(matches(KeyPattern::parse("rsa>=3072"), {"rsa", "", 4096}));
        CHECK_FALSE(matches(KeyPattern::parse("rsa>=3072"), {"rsa", "", 2048}));
        CHECK_FALSE(matches(KeyPattern::parse("rsa:3072"), {"rsa", "", 4096}));
        CHECK_FALSE(matches(KeyPattern::parse("ed25519"), {"ed448", "", 456}));
    }

    TEST_CASE("patterns that are refused when configuration is read") {
        for (const char* text : {"CN", "CN=", "NOSUCH=x", "CN=a*b*", "CN=${device.CN}",
                                 "CN=${sender.nosuch}", "CN=${sender.CN", "CN=a+OU=b", "CN=a\\"}) {
            CAPTURE(text);
            CHECK_THROWS_AS(static_cast<void>(NamePattern::parse(text)), std::invalid_argument);
        }
        for (const char* text : {"", "a..b", ".a", "*.*.a*b*"}) {
            CAPTURE(text);
            CHECK_THROWS_AS(static_cast<void>(DnsPattern::parse(text)), std::invalid_argument);
        }
        for (const char* text : {"", "300.0.0.1", "192.0.2.0/33", "192.0.2.0/", "192.0.2.0/x"}) {
            CAPTURE(text);
            CHECK_THROWS_AS(static_cast<void>(IpRange::parse(text)), std::invalid_argument);
        }
        for (const char* text : {"", "rsa>3072", "rsa>=", "rsa:x", "ec:"}) {
            CAPTURE(text);
            CHECK_THROWS_AS(static_cast<void>(KeyPattern::parse(text)), std::invalid_argument);
        }
    }

    TEST_CASE("same_name folds case and spaces of directory strings only") {
        const Bytes name = crypto::name_of("CN=Device One,O=Example");
        CHECK(same_name(name, name));
        CHECK(same_name(name, crypto::name_of("CN=device  one ,O=EXAMPLE")));
        CHECK_FALSE(same_name(name, crypto::name_of("CN=DeviceOne,O=Example")));
        CHECK_FALSE(same_name(name, crypto::name_of("O=Example,CN=Device One")));
        CHECK_FALSE(same_name(name, crypto::name_of("CN=Device One")));
        CHECK_FALSE(same_name(name, Bytes{0x30, 0x00}));
        const Bytes malformed{0x30, 0x02, 0x31, 0x00};
        CHECK(same_name(malformed, malformed));
        CHECK_FALSE(same_name(malformed, Bytes{0x30, 0x00}));
    }
}
