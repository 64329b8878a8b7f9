#include "ra/admin/admin.h"

#include <doctest/doctest.h>

#include "../../support/run.h"
#include "ra/admin/health.h"

using namespace ra;
using namespace ra::admin;
using namespace std::chrono_literals;

namespace {

/// Says what it was asked for.
Handler echo(std::string name) {
    // NOLINTNEXTLINE(cppcoreguidelines-avoid-capturing-lambda-coroutines): it outlives its calls.
    return [name](Request request) -> boost::asio::awaitable<Response> {
        co_return Response{200, Response::kText, name + ":" + request.rest};
    };
}

Admin some_admin() {
    Admin admin;
    admin.add("GET", "/metrics", Role::view, echo("metrics"));
    admin.add("GET", "/secrets", Role::secrets, echo("list"));
    admin.add("POST", "/secrets", Role::secrets, echo("add"));
    admin.add("DELETE", "/secrets/*", Role::secrets, echo("revoke"));
    admin.add("POST", "/reload", Role::config, echo("reload"));
    return admin;
}

Response ask(const Admin& admin, std::string method, std::string path, Roles roles) {
    Request request;
    request.method = std::move(method);
    request.path = std::move(path);
    request.caller = {"uid:7", roles};
    return test::run(admin.handle(std::move(request)));
}

}  // namespace

TEST_SUITE("ra/admin") {
    TEST_CASE("S-40: each endpoint for its role, and nothing for who has none") {
        const Admin admin = some_admin();
        struct Row {
            const char* method;
            const char* path;
            Roles roles;
            unsigned status;
            const char* body;
        };
        const Row rows[] = {
            {"GET", "/metrics", {Role::view}, 200, "metrics:"},
            {"GET", "/metrics", {Role::secrets}, 200, "metrics:"},  // every role may look
            {"GET", "/metrics", {}, 403, ""},
            {"GET", "/nowhere", {}, 403, ""},  // who may not look learns not even what there is
            {"GET", "/secrets", {Role::view}, 403, ""},
            {"GET", "/secrets", {Role::approve}, 403, ""},
            {"GET", "/secrets", {Role::config}, 403, ""},
            {"GET", "/secrets", {Role::secrets}, 200, "list:"},
            {"POST", "/secrets", {Role::secrets}, 200, "add:"},
            {"DELETE", "/secrets/line3-17", {Role::secrets}, 200, "revoke:line3-17"},
            {"DELETE", "/secrets/", {Role::secrets}, 404, ""},
            {"DELETE", "/secrets/a/b", {Role::secrets}, 404, ""},
            {"POST", "/reload", {Role::secrets, Role::approve}, 403, ""},
            {"POST", "/reload", Roles::all(), 200, "reload:"},
            {"GET", "/reload", Roles::all(), 405, ""},
            {"PUT", "/secrets", Roles::all(), 405, ""},
            {"GET", "/metricsx", {Role::view}, 404, ""},
            {"GET", "", {Role::view}, 404, ""},
        };
        for (const Row& row : rows) {
            CAPTURE(row.method);
            CAPTURE(row.path);
            const Response response = ask(admin, row.method, row.path, row.roles);
            CHECK(response.status == row.status);
            if (row.status == 200) CHECK(response.body == row.body);
            if (row.status == 405 && row.path == std::string{"/reload"})
                CHECK(response.allow == "POST");
        }
        CHECK(ask(admin, "GET", "/x", {Role::view}).body.find("DELETE /secrets/NAME (secrets)") !=
              std::string::npos);
    }

    TEST_CASE("S-40: users and groups to roles; root and the gateway's own user may all") {
        LocalRoles roles{500};
        CHECK_FALSE(roles.any());
        roles.grant_user(1000, Role::view);
        roles.grant_user(1000, Role::approve);
        roles.grant_group(50, Role::secrets);
        CHECK(roles.any());
        CHECK(roles.of(0, {}) == Roles::all());
        CHECK(roles.of(500, {}) == Roles::all());
        CHECK(roles.of(1000, {}) == Roles{Role::view, Role::approve});
        CHECK(roles.of(1001, {}).empty());
        CHECK(roles.of(1001, {49, 51}).empty());
        CHECK(roles.of(1001, {49, 50}) == Roles{Role::secrets});
        CHECK(roles.of(1001, {50}).has(Role::view));
        CHECK_FALSE(roles.of(1001, {50}).has(Role::config));
        CHECK(roles.of(1000, {50}) == Roles{Role::approve, Role::secrets});
        CHECK(roles.of(50, {1000}).empty());  // a group's number is no user's
    }

    TEST_CASE("JSON texts hold whatever they are given") {
        CHECK(json_text("a\"b\\c\n\x01\x7f") == R"("a\"b\\c\u000a\u0001\u007f")");
        CHECK(json_text("\xc3\xa4") == "\"\xc3\xa4\"");
        CHECK(json_text("\xff\xc3") == R"("\ufffd\ufffd")");
        CHECK(json_text("\xc0\x80") == R"("\ufffd\ufffd")");
        CHECK(json_text("") == R"("")");
    }

    TEST_CASE("S-43: not ready with a clock that cannot be right, and alive all the same") {
        HealthFacts facts;
        facts.serving = true;
        CHECK(judge_ready(facts).good);
        facts.clock_fault = "the clock shows 1970";
        const Health health = judge_ready(facts);
        CHECK_FALSE(health.good);
        REQUIRE(health.reasons.size() == 1);
        CHECK(health.reasons[0].starts_with("the clock shows 1970"));
        CHECK(health.json("ready").find("\"ready\":false") != std::string::npos);
        CHECK(judge_live(facts).good);  // a restart would not help
    }

    TEST_CASE("ready: every reason by itself, and what only degrades") {
        HealthFacts good;
        good.serving = true;
        good.upstreams = {{"a", false}, {"b", false}};
        CHECK(judge_ready(good).json("ready") ==
              "{\"ready\":true,\"reasons\":[],\"degraded\":[]}\n");
        struct Row {
            const char* name;
            std::function<void(HealthFacts&)> change;
            bool ready;
            std::size_t reasons, degraded;
        };
        const Row rows[] = {
            {"not started", [](auto& f) { f.serving = false; }, false, 1, 0},
            {"ending", [](auto& f) { f.draining = true; }, false, 1, 0},
            {"store", [](auto& f) { f.store_fault = "disk full"; }, false, 1, 0},
            {"one upstream down", [](auto& f) { f.upstreams[0].down = true; }, true, 0, 1},
            {"all down", [](auto& f) { f.upstreams[0].down = f.upstreams[1].down = true; }, true, 0,
             2},
            {"one down, needed",
             [](auto& f) { f.upstreams[0].down = true, f.ready_without_upstream = false; }, true, 0,
             1},
            {"all down, needed",
             [](auto& f) {
                 f.upstreams[0].down = f.upstreams[1].down = true;
                 f.ready_without_upstream = false;
             },
             false, 2, 0},
            {"several at once", [](auto& f) { f.draining = true, f.store_fault = "x"; }, false, 2,
             0},
        };
        for (const Row& row : rows) {
            CAPTURE(row.name);
            HealthFacts facts = good;
            row.change(facts);
            const Health health = judge_ready(facts);
            CHECK(health.good == row.ready);
            CHECK(health.reasons.size() == row.reasons);
            CHECK(health.degraded.size() == row.degraded);
        }
    }

    TEST_CASE("live: as long as every worker turns") {
        HealthFacts facts;
        facts.workers = {{0s}, {kMostSilence}};
        CHECK(judge_live(facts).good);
        facts.workers[1].silent = kMostSilence + 1s;
        const Health health = judge_live(facts);
        CHECK_FALSE(health.good);
        REQUIRE(health.reasons.size() == 1);
        CHECK(health.reasons[0].find("worker 1") != std::string::npos);
    }
}
