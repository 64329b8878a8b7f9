#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "ra/app/config/config.h"
#include "ra/app/config/reload.h"

using namespace ra;
using namespace ra::app::config;
using gateway::Quirk;

namespace {

/// Line 7 is the first of the upstream's further keys, line 9 that of the credential's.
std::string with(const std::string& upstream, const std::string& credential = {}) {
    return "version = 1\n"
           "[[listener]]\nurl = \"http://127.0.0.1:8080\"\n"
           "[[upstream]]\nurl = [\"http://a.example/cmp\", \"http://b.example/cmp\"]\n"
           "trust = \"file:ca.pem\"\n" +
           (upstream.empty() ? std::string("# none\n") : upstream) +
           "[[credential]]\nname = \"ra\"\n" +
           (credential.empty()
                ? std::string("certificate = \"file:ra.pem\"\nkey = \"file:ra.key\"\n")
                : credential) +
           "[[profile]]\norigin.signature.trust = \"file:roots.pem\"\n";
}

struct Row {
    const char* name;
    std::string text;
    Place at;
    const char* says;
};

void check_alone(const Row& row, Fault::Kind kind = Fault::Kind::error) {
    CAPTURE(row.name);
    Faults faults{"test.toml"};
    (void)parse_config(row.text, "test.toml", faults);
    INFO(faults.text());
    const auto all = faults.sorted();
    CHECK(std::any_of(all.begin(), all.end(), [&](const Fault& fault) {
        return fault.kind == kind && fault.at == row.at &&
               fault.text.find(row.says) != std::string::npos;
    }));
    CHECK(faults.errors() == (kind == Fault::Kind::error ? 1U : 0U));
}

Config parse(const std::string& text) {
    Faults faults{"test.toml"};
    Config config = parse_config(text, "test.toml", faults);
    INFO(faults.text());
    REQUIRE_FALSE(faults.has_errors());
    return config;
}

constexpr const char* kFiles = "certificate = \"file:ra.pem\"\nkey = \"file:ra.key\"\n";

}  // namespace

TEST_SUITE("ra/app") {
    TEST_CASE("config: how a CA is dealt with: bounds, breaker, quirks") {
        const Config config =
            parse(with("shared_state = true\nmax_in_flight = 7\nanswer_timeout = \"9s\"\n"
                       "breaker = { failures = 2, shortest = \"3s\", longest = \"1m\", "
                       "probe_timeout = \"4s\" }\n"
                       "quirks = [\"pvno-1-error\", \"sender-mismatch\"]\n"));
        const UpstreamConfig& upstream = config.upstreams.front();
        CHECK(upstream.shared_state);
        CHECK(upstream.max_in_flight == 7);
        CHECK(upstream.answer_timeout == std::chrono::seconds{9});
        CHECK(upstream.breaker == UpstreamConfig::Breaker{2, std::chrono::seconds{3},
                                                          std::chrono::minutes{1},
                                                          std::chrono::seconds{4}});
        CHECK(upstream.quirks.has(Quirk::pvno_1_error));
        CHECK(upstream.quirks.has(Quirk::sender_mismatch));
        CHECK_FALSE(upstream.quirks.has(Quirk::unprotected_refusal));

        // Left out, it is as ever.
        const UpstreamConfig plain = parse(with("")).upstreams.front();
        CHECK_FALSE(plain.quirks.any());
        CHECK_FALSE(plain.shared_state);
        CHECK_FALSE(plain.answer_timeout.has_value());
        CHECK(plain.breaker == UpstreamConfig::Breaker{});

        // What is reached in another way is reached anew.
        for (const char* changed :
             {"shared_state = true\n", "max_in_flight = 7\n", "answer_timeout = \"9s\"\n",
              "breaker.failures = 2\n", "http2 = \"never\"\n"}) {
            CAPTURE(changed);
            CHECK_FALSE(same_client(plain, parse(with(changed)).upstreams.front()));
        }
        CHECK(same_client(plain, parse(with("quirks = [\"pvno-1-error\"]\n")).upstreams.front()));
    }

    TEST_CASE("config: how a CA is dealt with, each fault alone and at its place") {
        const Row rows[] = {
            {"misspelt", with("shared_sate = true\n"), {7, 1}, "shared_state"},
            {"misspelt in breaker", with("breaker.failure = 2\n"), {7, 9}, "failures"},
            {"no number", with("max_in_flight = \"7\"\n"), {7, 17}, "max_in_flight"},
            {"nothing at all", with("max_in_flight = 0\n"), {7, 17}, "max_in_flight"},
            {"too long", with("answer_timeout = \"2h\"\n"), {7, 18}, "answer_timeout"},
            {"upside down",
             with("breaker = { shortest = \"2m\", longest = \"1m\" }\n"),
             {7, 40},
             "less than shortest"},
            {"no such quirk", with("quirks = [\"pvno-1-errors\"]\n"), {7, 11}, "pvno-1-error"},
            {"trust everything", with("quirks = [\"unprotected\"]\n"), {7, 11}, "quirks"},
        };
        for (const Row& row : rows) check_alone(row);
        check_alone({"said aloud", with("quirks = [\"unprotected-refusal\"]\n"), {7, 10}, "ledger"},
                    Fault::Kind::warning);
        std::string one = with("shared_state = true\n");
        constexpr std::string_view kBoth = "[\"http://a.example/cmp\", \"http://b.example/cmp\"]";
        one.replace(one.find(kBoth), kBoth.size(), "\"http://a.example/cmp\"");
        check_alone({"of one url", one, {7, 16}, "several urls"});
    }

    TEST_CASE("config: a credential that is renewed") {
        const std::string files = kFiles;
        const Config config =
            parse(with("", files + "renew = { before = \"30d\", label = \"ras\", key = "
                                   "\"ec:P-384\", timeout = \"2h\", trust = "
                                   "\"file:root.pem\" }\n"));
        const auto renew = config.credentials.front().renew;
        REQUIRE(renew.has_value());
        CHECK(renew->before == std::chrono::hours{24 * 30});
        CHECK(renew->label == "ras");
        CHECK(renew->key_kind == "ec:P-384");
        CHECK_FALSE(renew->same_key);
        CHECK(renew->timeout == std::chrono::hours{2});
        CHECK(renew->anchors.size() == 1);
        CHECK_FALSE(parse(with("")).credentials.front().renew.has_value());
        const auto plain = parse(with("", files + "renew = {}\n")).credentials.front().renew;
        REQUIRE(plain.has_value());
        CHECK_FALSE(plain->before.has_value());
        CHECK_FALSE(plain->same_key);
        const auto token = parse(with("",
                                      "certificate = \"file:ra.pem\"\nkey = "
                                      "\"pkcs11:token=ra;object=key\"\nrenew = {}\n"))
                               .credentials.front()
                               .renew;
        CHECK(token->same_key);
    }

    TEST_CASE("config: a credential that is renewed, each fault alone and at its place") {
        const std::string files = kFiles;
        const Row rows[] = {
            {"misspelt", with("", files + "renew.befor = \"3d\"\n"), {12, 7}, "before"},
            {"no such upstream",
             with("", files + "renew.upstream = \"upstream-2\"\n"),
             {12, 18},
             "upstream-1"},
            {"no such kind of key",
             with("", files + "renew.key = \"dsa\"\n"),
             {12, 13},
             "ec:P-256"},
            {"a new key in a token",
             with(
                 "",
                 "certificate = \"file:ra.pem\"\nkey = \"pkcs11:token=ra;object=key\"\nrenew.key = "
                 "\"new\"\n"),
             {12, 13},
             "\"same\""},
            {"a certificate nobody can write",
             with("", "certificate = \"env:CERT\"\nkey = \"file:ra.key\"\nrenew = {}\n"),
             {12, 9},
             "file:"},
            {"both in one file",
             with("", "certificate = \"file:ra.pem\"\nkey = \"file:ra.pem\"\nrenew = {}\n"),
             {12, 9},
             "files of their own"},
            {"the key of another",
             with("", files + "renew = {}\n[[credential]]\nname = \"b\"\ncertificate = "
                              "\"file:b.pem\"\nkey = \"file:ra.key\"\n"),
             {12, 9},
             "credential \"b\""},
            {"PKCS #12", with("", "pkcs12 = \"file:ra.p12\"\nrenew = {}\n"), {11, 9}, "pkcs12"},
        };
        for (const Row& row : rows) check_alone(row);
        std::string untrusted =
            with("responder.certificate = \"file:signer.pem\"\n", files + "renew = {}\n");
        untrusted.erase(untrusted.find("trust = \"file:ca.pem\"\n"),
                        std::string_view{"trust = \"file:ca.pem\"\n"}.size());
        check_alone({"no trust to judge it by", untrusted, {11, 9}, "renew needs trust"});
    }

    TEST_CASE("S-16: many profiles of one trust are one line each") {
        constexpr unsigned kMany = 500;
        std::string text = with("");
        for (unsigned i = 0; i < kMany; ++i) {
            const std::string number = std::to_string(i);
            text.append("[[profile]]\nname = \"p").append(number);
            text.append("\"\nmatch.label = \"l").append(number);
            text.append(
                "\"\norigin.signature.trust = \"file:roots.pem\"\nrules.subject = "
                "\"CN=${sender.CN},OU=");
            text.append(number).append("\"\n");
        }
        text.replace(text.find("[[profile]]\n"), 12, "[[profile]]\nmatch.label = \"x\"\n");
        Faults faults{"test.toml"};
        (void)parse_config(text, "test.toml", faults);
        CHECK_FALSE(faults.has_errors());
        const std::vector<Fault> all = faults.sorted();
        CHECK(all.size() == kMany);
        std::size_t octets = 0;
        for (const Fault& fault : all) octets += fault.text.size();
        CHECK(octets < kMany * std::size_t{400});
        CHECK(all.back().text.find("and 497 more") != std::string::npos);
    }
}
