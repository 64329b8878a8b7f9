#include "ra/upstream/breaker.h"

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using ra::BootTime;
using ra::upstream::Breaker;
using ra::upstream::BreakerSettings;

namespace {

constexpr BreakerSettings kThree{3, 1'000ms, 4'000ms};
constexpr BootTime kNow{1h};

Breaker opened() {
    Breaker breaker{kThree};
    for (int i = 0; i < 3; ++i) breaker.failed(kNow);
    return breaker;
}

}  // namespace

TEST_SUITE("ra/upstream") {
    TEST_CASE("Breaker: opens after failures in a row, and only then") {
        Breaker breaker{kThree};
        for (int i = 0; i < 10; ++i) {
            breaker.failed(kNow);
            breaker.failed(kNow);
            breaker.succeeded();
        }
        CHECK(breaker.state() == Breaker::State::closed);
        CHECK(breaker.admit(kNow));
        for (int i = 0; i < 3; ++i) breaker.failed(kNow);
        CHECK(breaker.state() == Breaker::State::open);
        CHECK_FALSE(breaker.admit(kNow));
        CHECK_FALSE(breaker.admit(kNow + 999ms));
    }

    TEST_CASE("Breaker: half-open lets one try, whose outcome decides") {
        Breaker breaker = opened();
        CHECK(breaker.is_due(kNow + 1s));
        CHECK(breaker.admit(kNow + 1s));
        CHECK(breaker.state() == Breaker::State::half_open);
        CHECK_FALSE(breaker.admit(kNow + 1s));
        breaker.succeeded();
        CHECK(breaker.state() == Breaker::State::closed);
        CHECK(breaker.admit(kNow + 1s));
    }

    TEST_CASE("Breaker: stays open twice as long each time, up to a bound") {
        Breaker breaker = opened();
        BootTime now = kNow;
        for (const auto open_for : {1'000ms, 2'000ms, 4'000ms, 4'000ms}) {
            CAPTURE(open_for.count());
            CHECK_FALSE(breaker.admit(now + open_for - 1ms));
            REQUIRE(breaker.admit(now + open_for));
            now += open_for;
            breaker.failed(now);
        }
        REQUIRE(breaker.admit(now + 4s));
        breaker.succeeded();
        // What was is forgotten: the next outage begins anew.
        for (int i = 0; i < 3; ++i) breaker.failed(now);
        CHECK(breaker.admit(now + 1s));
    }

    TEST_CASE("Breaker: what fails late does not make an outage longer") {
        Breaker breaker = opened();
        breaker.failed(kNow + 500ms);
        CHECK(breaker.admit(kNow + 1s));
    }

    TEST_CASE("Breaker: a try without outcome leaves room for another") {
        Breaker breaker = opened();
        REQUIRE(breaker.admit(kNow + 1s));
        breaker.forget();
        CHECK(breaker.admit(kNow + 1s));
    }

    TEST_CASE("Breaker: with 0 failures it never opens") {
        Breaker breaker{BreakerSettings{0, 1s, 1s}};
        for (int i = 0; i < 100; ++i) breaker.failed(kNow);
        CHECK(breaker.admit(kNow));
    }
}
