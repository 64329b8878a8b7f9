#include "transports/coap/paths.h"

#include <doctest/doctest.h>

#include "transports/coap/statuses.h"

using namespace transports::coap;
using ra::Operation;

TEST_SUITE("transports/coap") {
    TEST_CASE("paths: labels are short, and each is one of HTTP's") {
        struct Row {
            Operation operation;
            const char* label;
        };
        // RFC 9482 2.1, RFC 9483 6.2.
        const Row rows[] = {
            {Operation::ir, "ir"},
            {Operation::cr, "cr"},
            {Operation::kur, "kur"},
            {Operation::p10cr, "p10"},
            {Operation::rr, "rr"},
            {Operation::get_ca_certs, "crts"},
            {Operation::get_root_update, "rcu"},
            {Operation::get_cert_req_template, "att"},
            {Operation::get_crls, "crls"},
            {Operation::nested, "nest"},
        };
        for (const Row& row : rows) {
            CAPTURE(row.label);
            CHECK(operation_label(row.operation) == row.label);
            CHECK(operation_of(row.label) == row.operation);
            const auto rendered = render_path("/.well-known/cmp", "line 3", row.operation);
            CHECK(rendered ==
                  std::vector<std::string>{".well-known", "cmp", "p", "line 3", row.label});
            const std::vector<std::string_view> segments{rendered.begin(), rendered.end()};
            const auto parsed = parse_path(segments, served_bases({}));
            REQUIRE(parsed.has_value());
            CHECK(parsed->label == "line 3");
            CHECK(parsed->operation == row.operation);
        }
        CHECK(operation_label(Operation::unspecified).empty());
        for (const char* http : {"initialization", "getcacerts", "", "IR", "ann"})
            CHECK_FALSE(operation_of(http).has_value());
    }

    TEST_CASE("paths: what is served") {
        using Segments = std::vector<std::string_view>;
        struct Row {
            Segments segments;
            bool served;
            const char* label = "";
            Operation operation = Operation::unspecified;
            bool announcements = false;
        };
        const std::string long_label(65, 'a');
        const Row rows[] = {
            {{".well-known", "cmp"}, true},
            {{".well-known", "cmp", ""}, true},
            {{".well-known", "cmp", "p", "x"}, true, "x"},
            {{".well-known", "cmp", "p", "x", "kur"}, true, "x", Operation::kur},
            {{".well-known", "cmp", "ann"}, true, "", Operation::unspecified, true},
            {{".well-known", "cmp", "p", "p"}, true, "p"},
            {{"pkix"}, true},
            {{"pkix", "ir"}, true, "", Operation::ir},
            {{}, false},
            {{".well-known"}, false},
            {{".well-known", "core"}, false},
            {{".well-known", "cmp", "p"}, false},
            {{".well-known", "cmp", "p", ""}, false},
            {{".well-known", "cmp", "p", long_label}, false},
            {{".well-known", "cmp", "p", "a/b"}, false},
            {{".well-known", "cmp", "p", "a\n"}, false},
            {{".well-known", "cmp", "ir", "kur"}, false},
            {{".well-known", "cmp", "initialization"}, false},
            {{"elsewhere"}, false},
        };
        const Bases bases = served_bases({"/pkix/"});
        for (const Row& row : rows) {
            CAPTURE(row.segments.size());
            const auto parsed = parse_path(row.segments, bases);
            REQUIRE(parsed.has_value() == row.served);
            if (!parsed) continue;
            CHECK(parsed->label == row.label);
            CHECK(parsed->operation == row.operation);
            CHECK(parsed->announcements == row.announcements);
        }
        // "/" serves everything that nothing else does.
        CHECK(parse_path({}, served_bases({"/"})).has_value());
        CHECK(parse_path({"ir"}, served_bases({"/"}))->operation == Operation::ir);
    }

    TEST_CASE("paths: links as RFC 6690 has them") {
        CHECK(describe_links({}, {}) ==
              "</.well-known/cmp>;ct=259,</.well-known/cmp/ann>;ct=259;obs");
        CHECK(describe_links({"/pkix/"}, {"line 3"}) ==
              "</.well-known/cmp>;ct=259,</.well-known/cmp/p/line%203>;ct=259,</pkix/>;ct=259,"
              "</pkix/p/line%203>;ct=259,</.well-known/cmp/ann>;ct=259;obs");
        CHECK(split_path("/a/b%20c//d%2") == std::vector<std::string>{"a", "b c", "d%2"});
    }

    TEST_CASE("statuses: replies and their codes") {
        CHECK(map_reply(ra::Answer{{1}}).code == Code::changed);
        CHECK(map_reply(ra::Answer{{1}}).content_format == kPkixCmp);
        CHECK(map_reply(ra::Accepted{true}).code == Code::created);
        CHECK(map_reply(ra::Accepted{false}).code == Code::changed);
        CHECK(map_reply(ra::Accepted{false}).content.empty());
        CHECK(map_reply(ra::Overloaded{std::chrono::seconds{7}}).code == Code::service_unavailable);
        CHECK(map_reply(ra::Overloaded{std::chrono::seconds{7}}).max_age == 7);
        CHECK(map_reply(ra::Overloaded{std::chrono::seconds{0}}).max_age == 1);
        CHECK(map_reply(ra::NotCmp{ra::NotCmp::Why::wrong_path, {}}).code == Code::not_found);
        const ra::Reply malformed = ra::NotCmp{ra::NotCmp::Why::malformed, {5}};
        CHECK(map_reply(malformed).code == Code::bad_request);
        CHECK(map_reply(malformed).content_format == kPkixCmp);
        CHECK_FALSE(map_reply(ra::NotCmp{}).content_format.has_value());
    }

    TEST_CASE("statuses: codes as HTTP says them") {
        // RFC 8075 7, spec 03 3.1.
        const std::pair<Code, unsigned> rows[] = {
            {Code::changed, 200},
            {Code::content, 200},
            {Code::bad_request, 400},
            {Code::unauthorized, 401},
            {Code::forbidden, 403},
            {Code::not_found, 404},
            {Code::method_not_allowed, 405},
            {Code::request_too_large, 413},
            {Code::unsupported_format, 415},
            {Code::internal_server_error, 500},
            {Code::bad_gateway, 502},
            {Code::service_unavailable, 503},
            {Code::gateway_timeout, 504},
            {static_cast<Code>(0x9d), 400},
            {static_cast<Code>(0xbf), 500},
        };
        for (const auto& [code, status] : rows) {
            CAPTURE(static_cast<unsigned>(code));
            CHECK(http_status(code) == status);
        }
    }
}
