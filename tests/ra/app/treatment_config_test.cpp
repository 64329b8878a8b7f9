#include <doctest/doctest.h>

#include <string>

#include "ra/app/config/config.h"

using namespace ra::app::config;
using policy::Treatment;
using ra::cmp::BodyType;

namespace {

/// Ten lines and a profile's; line 11 is the first of a row.
std::string with(const std::string& profile, const std::string& upstream = "credential = \"ra\"") {
    return "version = 1\n[[listener]]\nurl = \"http://0.0.0.0:8080\"\n[[upstream]]\n"
           "url = \"http://ca.example:8080/cmp\"\n" +
           upstream +
           "\ntrust = \"file:ca.pem\"\n[[credential]]\nname = \"ra\"\ncertificate = "
           "\"file:ra.pem\"\nkey = \"file:ra.key\"\n[[profile]]\norigin.signature.trust = "
           "\"file:roots.pem\"\n" +
           profile;
}

Config parsed(const std::string& text) {
    Faults faults{"t.toml"};
    Config config = parse_config(text, "t.toml", faults);
    CHECK(faults.text() == "");
    return config;
}

std::string faults_of(const std::string& text) {
    Faults faults{"t.toml"};
    (void)parse_config(text, "t.toml", faults);
    return faults.text();
}

}  // namespace

TEST_SUITE("ra/app") {
    TEST_CASE("treatment: a word for all, or a table") {
        const auto word = parsed(with("treatment = \"nest\"\n")).profiles[0].profile.treatments;
        CHECK(word.otherwise == Treatment::nest);
        CHECK(parsed(with("")).profiles[0].profile.treatments.otherwise == Treatment::forward);

        const auto table =
            parsed(
                with(
                    "treatment = { mac = \"reprotect\", kur = \"nest\", default = \"forward\" }\n"))
                .profiles[0]
                .profile.treatments;
        CHECK(table.otherwise == Treatment::forward);
        CHECK(table.mac == Treatment::reprotect);
        CHECK(!table.signature.has_value());
        CHECK(table.operation[static_cast<std::size_t>(BodyType::kur)] == Treatment::nest);
        CHECK(!table.operation[static_cast<std::size_t>(BodyType::ir)].has_value());
    }

    TEST_CASE("treatment: amend") {
        const auto profile =
            parsed(with("match.operations = [\"ir\", \"cr\", \"p10cr\"]\n"
                        "treatment = \"raverified\"\n"
                        "amend = { subject = \"O=Plant,CN=${sender.CN}\", san = \"replace\", "
                        "san_dns = \"${sender.CN}.plant\", eku = \"clientAuth\", key_usage = "
                        "\"digitalSignature\", max_validity = \"30d\" }\n"))
                .profiles[0]
                .profile;
        REQUIRE(profile.amend.subject.has_value());
        CHECK(profile.amend.subject->rdns.size() == 2);
        CHECK(profile.amend.names == policy::Amendments::Names::replace);
        CHECK(profile.amend.san_dns.size() == 1);
        CHECK(profile.amend.eku.size() == 1);
        CHECK(profile.amend.key_usage == policy::kDigitalSignature);
        CHECK(profile.amend.max_validity == std::chrono::hours{24 * 30});
    }

    TEST_CASE("treatment: what is forbidden is refused when it is read (R-075..R-099)") {
        const std::string amends = "amend = { max_validity = \"30d\" }\n";
        const std::string no_kur = "match.operations = [\"ir\", \"cr\"]\n";
        struct Row {
            const char* name;
            std::string text;
            const char* says;
        };
        const Row rows[] = {
            {"kur re-protected", with("treatment = \"reprotect\"\n"), "kur is never re-protected"},
            {"kur by name", with("treatment = { kur = \"reprotect\" }\n"),
             "kur is never re-protected"},
            {"kur raverified", with("treatment = { kur = \"raverified\" }\n" + amends),
             "kur is never re-protected"},
            {"kur by its kind of protection", with("treatment = { signature = \"reprotect\" }\n"),
             "kur is never re-protected"},
            {"central key generation",
             with(no_kur + "treatment = \"reprotect\"\nrules.central_key_generation = true\n"),
             "central_key_generation and re-protection"},
            {"nothing to sign with", with("treatment = \"nest\"\n", "name = \"ca\""),
             "has no credential"},
            {"opaque and signed",
             "version = 1\n[[listener]]\nurl = \"http://0.0.0.0:8080\"\n[[upstream]]\n"
             "url = \"http://ca.example:8080/cmp\"\ncredential = \"ra\"\n[[credential]]\n"
             "name = \"ra\"\ncertificate = \"file:ra.pem\"\nkey = \"file:ra.key\"\n"
             "[[profile]]\norigin = \"opaque\"\ntreatment = \"nest\"\n",
             "can only forward"},
            {"unwrap of what is not nested", with("treatment = \"unwrap\"\n"), "is not one of"},
            {"nested, but by nobody", with("treatment = { nested = \"unwrap\" }\n"),
             "allow = [\"nested\"]"},
            {"amend without raverified", with(amends), "amend changes nothing"},
            {"raverified without amend", with(no_kur + "treatment = \"raverified\"\n"),
             "say how in profile.amend"},
            {"amend that amends nothing",
             with(no_kur + "treatment = \"raverified\"\namend = { san = \"add\" }\n"),
             "amends nothing"},
            {"a template with *",
             with(no_kur + "treatment = \"raverified\"\namend = { subject = \"CN=*\" }\n"),
             "* has no value"},
            {"a range of addresses",
             with(no_kur + "treatment = \"raverified\"\namend = { san_ip = \"192.0.2.0/24\" }\n"),
             "not ranges"},
            {"origPKIMessage of nothing", with("orig_pki_message = true\n"),
             "orig_pki_message belongs"},
            {"misspelt word", with("treatment = \"reprotcet\"\n"), "did you mean \"reprotect\"?"},
            {"misspelt key", with("treatment = { kurr = \"nest\" }\n"), "did you mean \"kur\"?"},
            {"misspelt key of amend",
             with(no_kur + "treatment = \"raverified\"\namend = { subjct = \"CN=x\" }\n"),
             "did you mean \"subject\"?"},
        };
        for (const Row& row : rows) {
            CAPTURE(row.name);
            const std::string said = faults_of(row.text);
            CAPTURE(said);
            CHECK(said.find(row.says) != std::string::npos);
        }
    }

    TEST_CASE("treatment: what RFC 9483 permits passes") {
        for (const char* profile :
             {"treatment = \"nest\"\n", "treatment = { mac = \"reprotect\", kur = \"nest\" }\n",
              "treatment = { default = \"reprotect\", kur = \"forward\" }\n",
              "match.operations = [\"ir\", \"rr\", \"genm\"]\ntreatment = \"reprotect\"\n"
              "orig_pki_message = true\n",
              "treatment = { nested = \"nest\" }\nra = { trust = \"file:ra-root.pem\", allow = "
              "[\"nested\"] }\n"}) {
            CAPTURE(profile);
            CHECK(faults_of(with(profile)) == "");
        }
    }
}
