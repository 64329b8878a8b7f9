#include "transports/http1/paths.h"

#include <doctest/doctest.h>

using ra::Operation;
using transports::http1::operation_label;
using transports::http1::operation_of;
using transports::http1::parse_path;
using transports::http1::render_path;

TEST_SUITE_BEGIN("transports/http1");

TEST_CASE("parse_path: what is served") {
    const std::vector<std::string> aliases{"/", "/pkix/", "/old/cmp"};
    struct Row {
        const char* target;
        const char* label;
        Operation operation;
    };
    const Row rows[] = {
        {"/.well-known/cmp", "", Operation::unspecified},
        {"/.well-known/cmp/", "", Operation::unspecified},
        {"/.well-known/cmp?x=1", "", Operation::unspecified},
        {"/.well-known/cmp/initialization", "", Operation::ir},
        {"/.well-known/cmp/getcacerts", "", Operation::get_ca_certs},
        {"/.well-known/cmp/nested", "", Operation::nested},
        {"/.well-known/cmp/p/line3", "line3", Operation::unspecified},
        {"/.well-known/cmp/p/line3/keyupdate", "line3", Operation::kur},
        {"/.well-known/cmp/p/initialization", "initialization", Operation::unspecified},
        {"/.well-known/cmp/p/a%20b%C3%A4", "a b\xc3\xa4", Operation::unspecified},
        {"http://ra.example:8080/.well-known/cmp/p/x", "x", Operation::unspecified},
        {"http://ra.example", "", Operation::unspecified},
        {"/", "", Operation::unspecified},
        {"/pkix", "", Operation::unspecified},
        {"/pkix/", "", Operation::unspecified},
        {"/old/cmp/revocation", "", Operation::rr},
    };
    for (const Row& row : rows) {
        CAPTURE(row.target);
        const auto facts = parse_path(row.target, aliases);
        REQUIRE(facts.has_value());
        CHECK(facts->label == row.label);
        CHECK(facts->operation == row.operation);
    }
}

TEST_CASE("parse_path: what is not") {
    const std::string long_label = "/.well-known/cmp/p/" + std::string(65, 'a');
    const std::string rows[] = {
        "",
        "*",
        "/",
        "/.well-known",
        "/.well-known/cmpx",
        "/.well-known/cmp//",
        "/.well-known/cmp/p",
        "/.well-known/cmp/p/",
        "/.well-known/cmp/p//initialization",
        "/.well-known/cmp/Initialization",
        "/.well-known/cmp/ir",
        "/.well-known/cmp/initialization/p/x",
        "/.well-known/cmp/p/x/y",
        "/.well-known/cmp/p/x/initialization/z",
        "/.well-known/cmp/p/a%2Fb",
        "/.well-known/cmp/p/a%00",
        "/.well-known/cmp/p/a%0d%0a",
        "/.well-known/cmp/p/a%",
        "/.well-known/cmp/p/a%4",
        "/.well-known/cmp/p/a%zz",
        "/x/../.well-known/cmp",
        "ra.example:443",
        long_label,
    };
    for (const std::string& row : rows) {
        CAPTURE(row);
        CHECK_FALSE(parse_path(row, {}).has_value());
    }
}

TEST_CASE("render_path: parse_path reads it back") {
    for (int i = 0; i <= static_cast<int>(Operation::nested); ++i) {
        const auto operation = static_cast<Operation>(i);
        for (const char* label : {"", "line3", "a b/%", "\xc3\xa4"}) {
            CAPTURE(label);
            const std::string path = render_path("/.well-known/cmp", label, operation);
            const auto facts = parse_path(path, {});
            if (std::string_view{label}.find('/') != std::string_view::npos) {
                CHECK_FALSE(facts.has_value());  // no label of ours holds a slash
                continue;
            }
            REQUIRE(facts.has_value());
            CHECK(facts->label == label);
            CHECK(facts->operation == operation);
        }
    }
    CHECK(render_path("/pkix/", "", Operation::unspecified) == "/pkix/");
    CHECK(render_path("/", "", Operation::ir) == "/initialization");
    CHECK(render_path("/cmp", "x", Operation::rr) == "/cmp/p/x/revocation");
}

TEST_CASE("operation labels: one to one") {
    for (int i = 1; i <= static_cast<int>(Operation::nested); ++i) {
        const auto operation = static_cast<Operation>(i);
        CHECK(operation_of(operation_label(operation)) == operation);
    }
    CHECK_FALSE(operation_of("").has_value());
}

TEST_SUITE_END();
