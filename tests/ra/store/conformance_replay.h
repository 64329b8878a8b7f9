#pragma once

#include "tests/ra/store/subject.h"

/// Replay memory and bounds (S-03, S-05), of every Store.
namespace test::store {

TEST_CASE_TEMPLATE_DEFINE("S-05: a finished transaction is remembered, and never changes again",
                          Harness, store_finished) {
    Subject<Harness> s;
    const auto version = s.begun(key(1, 1));
    Record last = s.finished(100, 5);
    const auto done = s.advance(key(1, 1), version, last);
    REQUIRE(done.has_value());

    const auto found = s.find(key(1, 1));
    REQUIRE(found.has_value());
    CHECK(found->record.state == State::finished);
    CHECK(found->record.request_digest[0] == 5);
    REQUIRE(found->record.answer != nullptr);
    CHECK(*found->record.answer == *last.answer);
    CHECK(found->record.remember_until >= last.remember_until);
    CHECK(found->record.remember_until <= last.remember_until + seconds{1});

    CHECK_FALSE(s.advance(key(1, 1), version, s.record(State::in_flight)).has_value());
    CHECK_FALSE(s.advance(key(1, 1), found->version, s.record(State::in_flight)).has_value());
    CHECK_FALSE(s.release(key(1, 1), found->version));
    const auto replayed = s.begin(key(1, 1));
    REQUIRE(std::holds_alternative<Exists>(replayed));
    CHECK(std::get<Exists>(replayed).found.record.state == State::finished);
    CHECK(s.store().sizes().open == 0);
    CHECK(s.store().sizes().remembered == 1);
}

TEST_CASE_TEMPLATE_DEFINE("S-05: remembered until the horizon, then as if it had never been",
                          Harness, store_horizon) {
    Subject<Harness> s;
    s.finish(key(1, 1));
    s.pass(seconds{899});
    CHECK(s.find(key(1, 1)).has_value());
    CHECK(std::holds_alternative<Exists>(s.begin(key(1, 1))));
    s.pass(seconds{2});
    CHECK_FALSE(s.find(key(1, 1)).has_value());
    CHECK(s.is_empty());
    s.begun(key(1, 1));
}

TEST_CASE_TEMPLATE_DEFINE("S-05: answers go oldest first, digests stay", Harness, store_eviction) {
    Bounds bounds;
    bounds.kept_octets = 10'000;
    Subject<Harness> s{bounds};
    for (unsigned i = 0; i < 50; ++i) {
        s.finish(key(1, i), 1000);
        CHECK(s.store().sizes().kept_octets <= bounds.kept_octets);
        const auto newest = s.find(key(1, i));
        REQUIRE(newest.has_value());
        CHECK(newest->record.answer != nullptr);
    }
    unsigned kept = 0;
    for (unsigned i = 0; i < 50; ++i) {
        const auto found = s.find(key(1, i));
        REQUIRE(found.has_value());
        CHECK(found->record.state == State::finished);
        if (found->record.answer != nullptr) ++kept;
    }
    CHECK(kept == 10);
    // One that never fits evicts nobody.
    s.finish(key(1, 100), bounds.kept_octets + 1);
    CHECK(s.find(key(1, 100))->record.answer == nullptr);
    CHECK(s.store().sizes().kept_octets == bounds.kept_octets);
}

TEST_CASE_TEMPLATE_DEFINE("S-05: a full replay memory refuses, it never forgets", Harness,
                          store_full) {
    Bounds bounds;
    bounds.remembered = 30;
    bounds.remembered_per_principal = 10;
    Subject<Harness> s{bounds};
    for (unsigned i = 0; i < 10; ++i) s.finish(key(1, i));
    CHECK(s.full(key(1, 10)) == "remembered per principal");
    for (unsigned i = 0; i < 20; ++i) s.finish(key(2 + i / 10, 100 + i));
    CHECK(s.full(key(9, 200)) == "remembered");
    for (unsigned i = 0; i < 10; ++i) CHECK(s.find(key(1, i)).has_value());
    CHECK(std::holds_alternative<Exists>(s.begin(key(1, 0))));
    CHECK(s.store().sizes().remembered == 30);

    s.pass(seconds{901});
    CHECK(s.is_empty());
    s.begun(key(1, 10));
    s.begun(key(9, 200));
}

TEST_CASE_TEMPLATE_DEFINE("S-03: open transactions are bounded, per principal and in total",
                          Harness, store_open_bounds) {
    Bounds bounds;
    bounds.open = 12;
    bounds.open_per_principal = 5;
    Subject<Harness> s{bounds};
    for (unsigned i = 0; i < 5; ++i) s.begun(key(1, i));
    CHECK(s.full(key(1, 5)) == "open per principal");
    for (unsigned i = 0; i < 7; ++i) s.begun(key(2 + i, 100 + i));
    CHECK(s.full(key(50, 200)) == "open");
    CHECK(s.store().sizes().open == 12);

    const auto found = s.find(key(1, 0));
    REQUIRE(found.has_value());
    CHECK(s.release(key(1, 0), found->version));
    s.begun(key(1, 5));
    CHECK(s.full(key(1, 6)).has_value());
}

TEST_CASE_TEMPLATE_DEFINE(
    "S-05: what nobody verified has a share, and who only knows its name another", Harness,
    store_opaque) {
    Bounds bounds;
    bounds.open = 20;
    bounds.remembered = 40;
    bounds.open_per_principal = 4;
    bounds.remembered_per_principal = 6;
    Subject<Harness> s{bounds};
    const auto opaque = [&s](unsigned payer, State state = State::in_flight) {
        Record made = s.record(state);
        made.verified = false;
        made.payer = principal(1000 + payer);
        return made;
    };
    const auto bound = [&](unsigned which, unsigned payer) -> std::string {
        const auto result = s.begin(key(1, which), opaque(payer));
        const auto* full = std::get_if<Full>(&result);
        return full == nullptr ? "" : std::string(full->bound);
    };
    // One principal, many payers: each fills its own share only.
    for (unsigned i = 0; i < 4; ++i) CHECK(bound(i, 1).empty());
    CHECK(bound(4, 1) == "open per principal");
    CHECK(bound(4, 2).empty());
    // Together they have half of what there is; the verified have the rest.
    for (unsigned i = 5; i < 10; ++i) CHECK(bound(i, i).empty());
    CHECK(bound(10, 50) == "opaque open");
    for (unsigned i = 0; i < 10; ++i) s.begun(key(20 + i, 100 + i));
    CHECK(s.full(key(40, 200)) == "open");

    // Ended, they are remembered on the same account.
    for (unsigned i = 0; i < 10; ++i) {
        Record last = opaque(0, State::finished);
        last.payer = s.find(key(1, i))->record.payer;
        REQUIRE(s.advance(key(1, i), s.find(key(1, i))->version, last).has_value());
    }
    for (unsigned i = 10; i < 20; ++i) {
        const auto result = s.begin(key(1, i), opaque(i));
        REQUIRE(std::holds_alternative<Begun>(result));
        REQUIRE(s.advance(key(1, i), std::get<Begun>(result).version, opaque(i, State::finished))
                    .has_value());
    }
    CHECK(bound(20, 70) == "opaque remembered");
    s.pass(seconds{901});
    CHECK(s.is_empty());
    CHECK(bound(20, 70).empty());
}

}  // namespace test::store
