#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "ra/app/config/config.h"

using namespace ra::app::config;

namespace {

struct Row {
    const char* name;
    std::string listener;  // lines 3 and following
    std::string upstream;  // lines of the one upstream
    const char* says;      // part of the one error; null: there is none
};

/// The errors of a file with this listener and this upstream, one a line.
std::vector<std::string> errors_of(const Row& row, Config* read = nullptr) {
    const std::string text =
        "version = 1\n[[listener]]\n" +
        (row.listener.empty() ? "url = \"http://0.0.0.0:8080\"" : row.listener) +
        "\n[[upstream]]\ntrust = \"file:a\"\n" +
        (row.upstream.empty() ? "url = \"http://ca/\"" : row.upstream) +
        "\n[[credential]]\ncertificate = \"file:ra.pem\"\nkey = \"file:ra.key\"\n"
        "[[profile]]\norigin.signature.trust = \"file:roots.pem\"\n";
    Faults faults{"test.toml"};
    const Config config = parse_config(text, "test.toml", faults);
    if (read != nullptr) *read = config;
    std::vector<std::string> errors;
    for (const Fault& fault : faults.sorted()) {
        if (fault.kind == Fault::Kind::error) errors.push_back(fault.text);
    }
    return errors;
}

void check_rows(const std::vector<Row>& rows) {
    for (const Row& row : rows) {
        CAPTURE(row.name);
        const auto errors = errors_of(row);
        REQUIRE(errors.size() == (row.says != nullptr ? 1 : 0));
        if (row.says == nullptr) continue;
        CAPTURE(errors.front());
        CHECK(errors.front().find(row.says) != std::string::npos);
    }
}

}  // namespace

TEST_SUITE("ra/app") {
    TEST_CASE("config: listeners and upstreams directly over TCP") {
        const std::string tcp = "url = \"tcp://0.0.0.0:1\"\n";
        check_rows({
            {"all that a listener may say",
             tcp + "label = \"line3\"\npoll_after = \"3s\"\ncheck_back = \"1s\"", "", nullptr},
            {"path over tcp", "url = \"tcp://0.0.0.0:1/cmp\"", "", "named in label"},
            {"aliases over tcp", tcp + "aliases = [\"/a\"]", "", "aliases belongs to a listener"},
            {"http2 over tcp", tcp + "http2 = false", "", "http2 belongs to a listener for http"},
            {"label over http", "url = \"http://0.0.0.0:1\"\nlabel = \"line3\"", "",
             "label belongs to a listener for"},
            {"label with a slash", tcp + "label = \"a/b\"", "", "without blanks"},
            {"misspelt", tcp + "poll_aftr = \"1s\"", "", "did you mean \"poll_after\"?"},
            {"tcps without a certificate", "url = \"tcps://0.0.0.0\"", "", "a tcps listener needs"},
            {"upstream", "", "url = \"tcp://ca\"\ntcp_framing = \"rfc2510\"", nullptr},
            {"upstream with a path", "", "url = \"tcp://ca:829/cmp\"", "no paths over tcp"},
            {"framing without tcp", "", "url = \"http://ca/\"\ntcp_framing = \"rfc2510\"",
             "no url is tcp"},
            {"framing nobody knows", "", "url = \"tcp://ca\"\ntcp_framing = \"rfc2511\"",
             "did you mean \"rfc2510\"?"},
            {"tcps without trust", "", "url = \"tcps://ca\"", "absent trust refuses everybody"},
        });
    }

    TEST_CASE("config: ports that a scheme has by itself") {
        Config read;
        CHECK(errors_of({"", "url = \"tcp://127.0.0.1\"", "url = \"tcp://ca\"", nullptr}, &read)
                  .empty());
        CHECK(read.listeners[0].url.port == 829);
        CHECK(read.upstreams[0].urls[0].port == 829);
        CHECK(Url::parse("https://a").port == 443);
        CHECK(Url::parse("http://a").port == 80);
        CHECK(Url::parse("tcps://a").port == 829);
    }
}
