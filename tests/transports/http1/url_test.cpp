#include "transports/http1/url.h"

#include <doctest/doctest.h>

using transports::http1::parse_http_url;

TEST_SUITE_BEGIN("transports/http1");

TEST_CASE("parse_http_url") {
    struct Row {
        const char* text;
        const char* host;
        std::uint16_t port;
        const char* path;
        const char* authority;
    };
    const Row rows[] = {
        {"http://ca.example/cmp", "ca.example", 80, "/cmp", "ca.example"},
        {"HTTP://ca:8080", "ca", 8080, "/.well-known/cmp", "ca:8080"},
        {"http://ca:8080/", "ca", 8080, "/", "ca:8080"},
        {"http://[::1]:81/pkix/", "::1", 81, "/pkix/", "[::1]:81"},
        {"http://127.0.0.1:80/x", "127.0.0.1", 80, "/x", "127.0.0.1"},
        {"https://ca", "ca", 443, "/.well-known/cmp", "ca"},
        {"HTTPS://ca:80/x", "ca", 80, "/x", "ca:80"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.text);
        const auto url = parse_http_url(row.text);
        REQUIRE(url.has_value());
        CHECK(url->host == row.host);
        CHECK(url->port == row.port);
        CHECK(url->path == row.path);
        CHECK(url->authority() == row.authority);
        CHECK(url->secure == (row.text[4] == 's' || row.text[4] == 'S'));
    }
    for (const char* text :
         {"", "ca", "ftp://ca", "https://", "http://", "http://:80", "http://ca:0",
          "http://ca:65536", "http://ca:x", "http://ca:80x", "http://u@ca/", "http://ca/?q",
          "http://ca/#f", "http://[::1", "http://[::1]x", "http://ca/a b", "http://ca/\r\nX: y",
          "http://ca:"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_http_url(text).has_value());
    }
}

TEST_SUITE_END();
