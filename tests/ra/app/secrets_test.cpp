#include "ra/app/secrets.h"

#include <doctest/doctest.h>

#include <boost/json.hpp>

#include "ra/app/config/values.h"
#include "ra/store/memory.h"
#include "tests/support/fake_clock.h"
#include "tests/support/run.h"
#include "tests/support/seeded_random.h"

using namespace ra;
using namespace ra::app;
using namespace std::chrono_literals;
namespace json = boost::json;

namespace {

struct Kept {
    test::FakeClock clock;
    test::SeededRandom random{5};
    store::Memory store{clock, random};

    json::object add(std::string_view order) {
        auto parsed = parse_secret_order(order, clock.wall_now());
        return json::parse(
                   test::run(add_secret(store, std::move(parsed), random, clock.wall_now())))
            .as_object();
    }
    json::array list() {
        return json::parse(test::run(list_secrets(store, clock.wall_now()))).as_array();
    }
};

}  // namespace

TEST_SUITE("ra/app") {
    TEST_CASE("secret add: generated, told once, for one use") {
        Kept kept;
        const json::object made = kept.add("{}");
        const std::string reference{made.at("reference").as_string()};
        const std::string secret{made.at("secret").as_string()};
        CHECK(reference.size() == 12);
        CHECK(secret.size() == 32);  // 5 random bits a digit
        CHECK(made.at("generated").as_bool());
        CHECK(made.at("uses").as_int64() == 1);
        const auto known = test::run(kept.store.find_secret(as_bytes(reference)));
        REQUIRE(known.has_value());
        CHECK(as_text(known->octets.reveal()) == secret);
        CHECK(known->generated);
        CHECK(kept.add("{}").at("secret").as_string() != secret);

        const json::array all = kept.list();
        REQUIRE(all.size() == 2);
        CHECK(json::serialize(all).find(secret) == std::string::npos);
        CHECK(all[0].at("state").as_string() == "good");
    }

    TEST_CASE("secret add: an own one, with all that can be said of it") {
        Kept kept;
        const json::object made = kept.add(
            R"({"reference": "press-17", "secret": "1234567", "profile": "line-3", "uses": 0,
                "expires": "7d"})");
        CHECK_FALSE(made.at("generated").as_bool());
        CHECK_FALSE(made.contains("secret"));
        CHECK_FALSE(made.contains("uses"));
        CHECK(made.at("expires").as_string() == config::time_text(kept.clock.wall_now() + 7 * 24h));
        const auto known = test::run(kept.store.find_secret(as_bytes("press-17")));
        REQUIRE(known.has_value());
        CHECK_FALSE(known->generated);
        CHECK(known->profile == "line-3");
        CHECK_FALSE(known->uses_left.has_value());
        CHECK_THROWS_AS((void)kept.add(R"({"reference": "press-17"})"), SecretFault);

        kept.clock.pass(8 * 24h);
        CHECK(kept.list()[0].at("state").as_string() == "expired");
        const auto revoked = test::run(revoke_secret(kept.store, "press-17"));
        CHECK(json::parse(revoked).at("revoked").as_bool());
        CHECK_THROWS_AS((void)test::run(revoke_secret(kept.store, "press-17")), SecretFault);
        CHECK(kept.list().empty());
    }

    TEST_CASE("secret add: orders that are none") {
        Kept kept;
        const char* const rows[] = {"",
                                    "[]",
                                    "{",
                                    R"({"reference": ""})",
                                    R"({"reference": 17})",
                                    R"({"reference": "with blank"})",
                                    R"({"reference": "a/b"})",
                                    R"({"reference": "line\nbreak"})",
                                    R"({"secret": ""})",
                                    R"({"secret": "abc"})",
                                    R"({"uses": -1})",
                                    R"({"uses": "1"})",
                                    R"({"expires": "tomorrow"})",
                                    R"({"expires": "2020-01-01"})",
                                    R"({"use": 1})"};
        for (const char* row : rows) {
            CAPTURE(row);
            CHECK_THROWS_AS((void)kept.add(row), std::invalid_argument);
        }
        CHECK(kept.list().empty());
    }

    TEST_CASE("times of the configuration") {
        CHECK(config::time_text(config::parse_time("2027-01-31")) == "2027-01-31T00:00:00Z");
        CHECK(config::time_text(config::parse_time("2028-02-29T23:59:58Z")) ==
              "2028-02-29T23:59:58Z");
        for (const char* wrong : {"2027-02-29", "2027-1-31", "2027-01-31 12:00:00Z", "27-01-31",
                                  "2027-01-31T24:00:00Z", "2027-01-31T12:00:00", "x", ""}) {
            CAPTURE(wrong);
            CHECK_THROWS_AS((void)config::parse_time(wrong), std::invalid_argument);
        }
    }
}
