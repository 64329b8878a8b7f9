#include "ra/app/config/config.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace ra::app::config;

namespace {

/// Ten lines: the common case, to which rows add their fault. Line 11 is the first of theirs.
constexpr std::string_view kMinimal =
    "version = 1\n"
    "[[listener]]\n"
    "url = \"http://0.0.0.0:8080\"\n"
    "[[upstream]]\n"
    "url = \"http://ca.example:8080/cmp\"\n"
    "trust = \"file:ca.pem\"\n"
    "[[credential]]\n"
    "certificate = \"file:ra.pem\"\n"
    "key = \"file:ra.key\"\n"
    "[[profile]]\n";
constexpr std::string_view kTrust = "origin.signature.trust = \"file:roots.pem\"\n";

std::vector<Fault> faults_of(const std::string& text) {
    Faults faults{"test.toml"};
    (void)parse_config(text, "test.toml", faults);
    return faults.sorted();
}

struct Row {
    const char* name;
    std::string text;
    Place at;
    const char* says;  // part of the message
};

void check(const Row& row, Fault::Kind kind) {
    CAPTURE(row.name);
    const std::vector<Fault> faults = faults_of(row.text);
    bool found = false;
    std::size_t errors = 0;
    std::string all;
    for (const Fault& fault : faults) {
        if (fault.kind == Fault::Kind::error) ++errors;
        all += std::to_string(fault.at.line) + ":" + std::to_string(fault.at.column) + " " +
               fault.text + "\n";
        found = found || (fault.kind == kind && fault.at == row.at &&
                          fault.text.find(row.says) != std::string::npos);
    }
    INFO(all);
    CHECK(found);
    if (kind == Fault::Kind::error) CHECK(errors == 1);
}

std::string minimal(const std::string& more) {
    return std::string(kMinimal) + std::string(kTrust) + more;
}

}  // namespace

TEST_SUITE("ra/app") {
    TEST_CASE("config: the common case is ten lines and has sane defaults") {
        Faults faults{"test.toml"};
        const Config config = parse_config(minimal(""), "/etc/cmpgate/test.toml", faults);
        CHECK(faults.text() == "");
        REQUIRE(config.listeners.size() == 1);
        CHECK(config.listeners[0].name == "listener-1");
        CHECK(config.listeners[0].url.port == 8080);
        REQUIRE(config.upstreams.size() == 1);
        CHECK(config.upstreams[0].responder.ekus.size() == 1);
        REQUIRE(config.profiles.size() == 1);
        const policy::Profile& profile = config.profiles[0].profile;
        CHECK(profile.origin.kind == policy::OriginSettings::Kind::signature);
        CHECK(profile.pop == policy::Pop::required);
        CHECK(profile.rules.subjects.empty());  // exactly the sender's own subject
        CHECK(profile.rules.keys.size() == 6);
        CHECK_FALSE(profile.rules.ca);
        CHECK(config.directory == "/etc/cmpgate");
        CHECK_FALSE(config.allow_lab_ca);
    }

    TEST_CASE("config: each fault alone, at its place, with what was meant") {
        const Row rows[] = {
            {"no version", minimal("").substr(12), {1, 1}, "version = 1"},
            {"version of tomorrow",
             "version = 2\n" + minimal("").substr(12),
             {1, 11},
             "version 2 is not known"},
            {"misspelt at the top",
             "version = 1\nworkrs = 2\n" + minimal("").substr(12),
             {2, 1},
             "did you mean \"workers\"?"},
            {"misspelt section",
             minimal("[lgo]\nlevel = \"info\"\n"),
             {12, 2},
             "did you mean \"log\"?"},
            {"misspelt in a section",
             minimal("[log]\nlevl = \"info\"\n"),
             {13, 1},
             "did you mean \"level\"?"},
            {"misspelt in an inline table",
             minimal("match = { lable = \"x\" }\n"),
             {12, 11},
             "did you mean \"label\"?"},
            {"transposed letters",
             minimal("rules = { sujbect = \"CN=x\" }\n"),
             {12, 11},
             "did you mean \"subject\"?"},
            {"nothing near",
             minimal("[log]\nzzzzzzzz = 1\n"),
             {13, 1},
             "unknown key \"zzzzzzzz\" in [log]"},
            {"single brackets",
             "version = 1\n[profile]\norigin.signature.trust = \"file:a.pem\"\n" +
                 minimal("").substr(12, kMinimal.find("[[profile]]") - 12),
             {2, 1},
             "two brackets"},
            {"number for text", minimal("name = 3\n"), {12, 8}, "name is a text, not a number"},
            {"text for number",
             minimal("[store]\nopen = \"many\"\n"),
             {13, 8},
             "open is a number, not a text"},
            {"a path for what is not written",
             minimal("[store]\nkind = \"memory\"\npath = \"x.db\"\n"),
             {14, 8},
             "path belongs to kind = \"sqlite\""},
            {"a store nobody has",
             minimal("[store]\nkind = \"sqlit\"\n"),
             {13, 8},
             "did you mean \"sqlite\"?"},
            {"out of range",
             minimal("[limits]\ndepth = 4\n"),
             {13, 9},
             "depth = 4 is not within 8..64"},
            {"no unit", minimal("[limits]\nopen_time = \"5\"\n"), {13, 13}, "is no duration"},
            {"unknown unit",
             minimal("[limits]\nopen_time = \"5min\"\n"),
             {13, 13},
             "write \"300s\", \"15m\""},
            {"duration too long for the type",
             minimal("[limits]\nopen_time = \"99999999999999999999d\"\n"),
             {13, 13},
             "is no duration"},
            {"size over the DER limit",
             minimal("[limits]\nmessage = \"16MiB\"\n"),
             {13, 11},
             "octets"},
            {"id bounds crossed",
             minimal("[limits]\nid_min = 32\nid_max = 16\n"),
             {13, 10},
             "id_min is more than id_max"},
            {"word of a closed list",
             minimal("[log]\nlevel = \"inof\"\n"),
             {13, 9},
             "did you mean \"info\"?"},
            {"log to a bare path", minimal("[log]\nto = \"/var/log/x\"\n"), {13, 6}, "file:PATH"},
            {"pop", minimal("pop = \"requierd\"\n"), {12, 7}, "did you mean \"required\"?"},
            {"operation",
             minimal("match.operations = [\"ir\", \"kurr\"]\n"),
             {12, 27},
             "did you mean \"kur\"?"},
            {"label with a slash",
             minimal("match.label = \"a/b\"\n"),
             {12, 15},
             "one path segment"},
            {"listener nobody made",
             minimal("match.listener = \"listner-1\"\n"),
             {12, 18},
             "did you mean \"listener-1\"?"},
            {"upstream nobody made",
             minimal("upstream = \"upstream-2\"\n"),
             {12, 12},
             "did you mean \"upstream-1\"?"},
            {"credential nobody made",
             "version = 1\nreply_credential = \"x\"\n" + minimal("").substr(12),
             {2, 20},
             "no [[credential]] named \"x\""},
            {"key pattern", minimal("rules.key = [\"rsa>3072\"]\n"), {12, 14}, ">="},
            {"subject pattern",
             minimal("rules.subject = \"CN=${sender.XX}\"\n"),
             {12, 17},
             "sender.XX"},
            {"EKU name",
             minimal("rules.eku = \"clientAuht\"\n"),
             {12, 13},
             "did you mean \"clientAuth\"?"},
            {"EKU dotted wrongly", minimal("rules.eku = \"1..2\"\n"), {12, 13}, "eku"},
            {"key usage bit",
             minimal("rules.key_usage = [\"digitalSignatur\"]\n"),
             {12, 20},
             "did you mean \"digitalSignature\"?"},
            {"CRL reason 7 has no name",
             minimal("rules.rr_reasons = [\"\"]\n"),
             {12, 21},
             "is not one of"},
            {"${sender} where none is",
             minimal("match.sender = \"CN=${sender.CN}\"\n"),
             {12, 16},
             "has no meaning"},
            {"treatment misspelt",
             minimal("treatment = \"forwrad\"\n"),
             {12, 13},
             "did you mean \"forward\"?"},
            {"secret in the file",
             minimal("ra = { trust = \"-----BEGIN CERTIFICATE-----\", allow = [\"rr\"] }\n"),
             {12, 16},
             "never stand in this file"},
            {"no prefix",
             minimal("ra = { trust = \"ra.pem\", allow = [\"rr\"] }\n"),
             {12, 16},
             "write \"file:ra.pem\""},
            {"a trust in a token",
             minimal("ra = { trust = \"pkcs11:x\", allow = [\"rr\"] }\n"),
             {12, 16},
             "only a private key can be in a token"},
            {"a PIN in the file",
             minimal("[[credential]]\nname = \"b\"\ncertificate = \"file:b.pem\"\n"
                     "key = \"pkcs11:object=b?pin-value=1234\"\n"),
             {15, 7},
             "a PIN never stands in this file"},
            {"a token without a key's name",
             minimal("[[credential]]\nname = \"b\"\ncertificate = \"file:b.pem\"\n"
                     "key = \"pkcs11:token=b\"\n"),
             {15, 7},
             "which key is it?"},
            {"pkcs12 and key",
             minimal(
                 "[[credential]]\nname = \"b\"\npkcs12 = \"file:b.p12\"\nkey = \"file:b.key\"\n"),
             {15, 7},
             "key is in the pkcs12 file already"},
            {"neither pkcs12 nor key",
             minimal("[[credential]]\nname = \"b\"\ncertificate = \"file:b.pem\"\n"),
             {12, 1},
             "[[credential]] has no key"},
            {"RA without allow",
             minimal("ra = { trust = \"file:ra.pem\" }\n"),
             {12, 6},
             "no allow"},
            {"RA allowed the unknown",
             minimal("ra = { trust = \"file:ra.pem\", allow = [\"raVerify\"] }\n"),
             {12, 40},
             "did you mean \"raVerified\"?"},
            {"RA without trust (S-11)",
             minimal("ra = { allow = [\"rr\"] }\n"),
             {12, 6},
             "no trust"},
            {"second profile of a name",
             minimal("match.label = \"a\"\nname = \"p\"\n[[profile]]\nname = "
                     "\"p\"\norigin.signature.trust = \"file:b.pem\"\n"),
             {14, 1},
             "second profile"},
            {"unreachable profile",
             minimal("[[profile]]\norigin.signature.trust = \"file:b.pem\"\n"),
             {12, 1},
             "never reached"},
            {"CRL policy without CRL",
             minimal("origin.signature.crl_policy = \"soft\"\n"),
             {12, 31},
             "there is no crl"},
            {"horizon shorter than the window (S-05)",
             minimal("origin.time_window = \"10m\"\n"),
             {11, 1},
             "replay_horizon"},
        };
        for (const Row& row : rows) check(row, Fault::Kind::error);
    }

    TEST_CASE("config: faults of the parts every file has") {
        const std::string tail = minimal("").substr(kMinimal.find("[[upstream]]"));
        const auto listener = [&](const std::string& line) {
            return "version = 1\n[[listener]]\n" + line + "\n" + tail;
        };
        const std::string head =
            "version = 1\n[[listener]]\nurl = \"http://0.0.0.0:1\"\n[[upstream]]\n";
        const auto upstream = [&](const std::string& lines) {
            return head + lines + "\n" + minimal("").substr(kMinimal.find("[[credential]]"));
        };
        const Row rows[] = {
            {"https without a certificate",
             listener("url = \"https://0.0.0.0:8443\""),
             {3, 7},
             "needs tls = {"},
            {"coaps", listener("url = \"coaps://0.0.0.0:5684\""), {3, 7}, "or psk = \"secrets\""},
            {"scheme misspelt", listener("url = \"htp://0.0.0.0\""), {3, 7}, "unknown scheme"},
            {"no scheme", listener("url = \"0.0.0.0\""), {3, 7}, "no scheme"},
            {"port too large", listener("url = \"http://0.0.0.0:65536\""), {3, 7}, "up to 65535"},
            {"port missing", listener("url = \"http://0.0.0.0:\""), {3, 7}, "port is missing"},
            {"path in a listener", listener("url = \"http://0.0.0.0:1/cmp\""), {3, 7}, "aliases"},
            {"name as an address",
             listener("url = \"http://gateway.example:1\""),
             {3, 7},
             "no address of this machine"},
            {"IPv6 without brackets", listener("url = \"http://::1:80\""), {3, 7}, "brackets"},
            {"user in the URL", listener("url = \"http://a@0.0.0.0:1\""), {3, 7}, "no place in it"},
            {"query", listener("url = \"http://0.0.0.0:1?x\""), {3, 7}, "query"},
            {"alias without slash",
             listener("url = \"http://0.0.0.0:1\"\naliases = [\"pkix\"]"),
             {4, 12},
             "begins with \"/\""},
            {"no listener url", listener("name = \"x\""), {2, 1}, "has no url"},
            {"one port twice",
             listener("url = \"http://0.0.0.0:1\"\n[[listener]]\nurl = \"http://0.0.0.0:1\""),
             {5, 7},
             "already uses"},
            {"no upstream url", upstream("trust = \"file:a\""), {4, 1}, "has no url"},
            {"no upstream trust (S-10)", upstream("url = \"http://ca/\""), {4, 1}, "has no trust"},
            {"lab CA without leave", upstream("url = \"labca:\""), {4, 1}, "allow_lab_ca = true"},
            {"lab CA with a path",
             upstream("url = \"labca:x\"\ntrust = \"file:a\""),
             {5, 7},
             "nothing else"},
            {"responder nobody",
             upstream("url = \"http://ca/\"\ntrust = \"file:a\"\nresponder = {}"),
             {7, 13},
             "says nobody"},
            {"responder half named (S-12)",
             upstream(
                 "url = \"http://ca/\"\ntrust = \"file:a\"\nresponder = { issuer = \"CN=a\" }"),
             {7, 13},
             "go together"},
            {"resend",
             upstream("url = \"http://ca/\"\ntrust = \"file:a\"\nresend = \"identcal\""),
             {7, 10},
             "did you mean \"identical\"?"},
            {"upstream credential",
             upstream("url = \"http://ca/\"\ntrust = \"file:a\"\ncredential = \"credentail-1\""),
             {7, 14},
             "did you mean \"credential-1\"?"},
            {"no origin", std::string(kMinimal), {10, 1}, "has no origin"},
            {"origin misspelt",
             std::string(kMinimal) + "origin = \"opaqe\"\n",
             {11, 10},
             "did you mean \"opaque\"?"},
            {"signature without trust (S-10)",
             std::string(kMinimal) + "origin = { signature = {} }\n",
             {11, 24},
             "absent trust refuses"},
            {"trust of nobody (S-10)",
             std::string(kMinimal) + "origin.signature.trust = []\n",
             {11, 26},
             "trust is empty"},
            {"rules of an opaque profile (S-10)",
             std::string(kMinimal) + "origin = \"opaque\"\nrules = { key = \"ed25519\" }\n",
             {12, 9},
             "cannot be judged"},
            {"an opaque origin that verifies (S-10)",
             std::string(kMinimal) + "origin = { opaque = true, mac = \"secrets\" }\n",
             {11, 33},
             "means nothing beside opaque"},
            {"opaque, and forgotten too soon (S-05)",
             std::string(kMinimal) + "origin = { opaque = true, time_window = \"10m\" }\n",
             {11, 10},
             "could be replayed"},
        };
        for (const Row& row : rows) {
            CAPTURE(row.name);
            const std::vector<Fault> faults = faults_of(row.text);
            bool found = false;
            std::string all;
            for (const Fault& fault : faults) {
                all += std::to_string(fault.at.line) + ":" + std::to_string(fault.at.column) + " " +
                       fault.text + "\n";
                found = found || (fault.kind == Fault::Kind::error && fault.at == row.at &&
                                  fault.text.find(row.says) != std::string::npos);
            }
            INFO(all);
            CHECK(found);
        }
    }

    TEST_CASE("config: syntax faults stand alone, with line and column") {
        const Row rows[] = {
            {"two equals signs", "version = 1\na = = 2\n", {2, 5}, "syntax"},
            {"a key twice", "version = 1\nversion = 2\n", {2, 11}, "syntax"},
            {"text not closed", "version = \"1\n", {1, 11}, "syntax"},
        };
        for (const Row& row : rows) {
            CAPTURE(row.name);
            const auto faults = faults_of(row.text);
            REQUIRE(faults.size() == 1);
            INFO(faults[0].at.line, ":", faults[0].at.column, " ", faults[0].text);
            CHECK(faults[0].at.line == row.at.line);
            CHECK(faults[0].text.find(row.says) != std::string::npos);
        }
        CHECK(faults_of(rows[0].text)[0].at == rows[0].at);
    }

    TEST_CASE("config: all faults are reported at once, in the order of the file") {
        const auto faults = faults_of(
            "version = 1\nworkrs = 1\n[[listener]]\nurl = \"x\"\n[log]\nlevel = 3\nformt = 1\n");
        REQUIRE(faults.size() >= 6);
        for (std::size_t i = 1; i < faults.size(); ++i) CHECK(faults[i - 1].at <= faults[i].at);
        Faults text{"f.toml"};
        text.warning({3, 4}, "b");
        text.error({1, 2}, "a");
        text.error({}, "c");
        CHECK(text.text() == "f.toml: error: c\nf.toml:1:2: error: a\nf.toml:3:4: warning: b\n");
    }

    TEST_CASE("S-10, S-14, S-16, S-05: what check warns about") {
        const std::string second =
            "[[profile]]\nname = \"b\"\norigin.signature.trust = \"file:roots.pem\"\nrules.key = "
            "\"ed25519\"\n";
        const Row rows[] = {
            {"S-10: opaque", std::string(kMinimal) + "origin = \"opaque\"\n", {11, 10}, "S-10"},
            {"S-14: any name",
             minimal("rules.subject = \"CN=*,O=Example\"\n"),
             {12, 17},
             "any device may take any name"},
            {"S-14: one fixed name for all",
             minimal("rules.subject = \"CN=line,O=Example\"\n"),
             {12, 17},
             "S-14"},
            {"S-14: SAN", minimal("rules.san_dns = \"*.example\"\n"), {12, 17}, "S-14"},
            {"S-16: two paths, one trust",
             minimal("match.label = \"a\"\n" + second),
             {13, 1},
             "S-16"},
            {"S-05: undated", minimal("origin.undated = \"remember\"\n"), {11, 1}, "S-05"},
            {"S-05: no window", minimal("origin.time_window = 0\n"), {11, 1}, "S-05"},
        };
        for (const Row& row : rows) check(row, Fault::Kind::warning);

        SUBCASE("and what it leaves alone") {
            CHECK(faults_of(minimal("rules.subject = \"CN=${sender.CN},O=Example\"\nrules.san_dns "
                                    "= \"${sender.CN}.example\"\n"))
                      .empty());
            CHECK(faults_of(minimal("match.label = \"a\"\ncert_profile_is_label = true\n" + second +
                                    "cert_profile_is_label = true\n"))
                      .empty());
        }
    }

    TEST_CASE("config: nothing but a table of keys can be misread as one") {
        CHECK(nearest("levle", {"level", "format"}) == "level");
        CHECK(nearest("operation", {"operations", "label"}) == "operations");
        CHECK(nearest("xy", {"ab", "cd"}).empty());
        CHECK(nearest("", {"a"}).empty());
        CHECK(in_quotes("a\nb\x7f") == "\"a\\x0ab\\x7f\"");
        CHECK(in_quotes(std::string(100, 'x')).size() == 80 + 2 + 3);
    }
}
