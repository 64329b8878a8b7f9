#pragma once

#include "tests/ra/store/conformance_replay.h"
#include "tests/ra/store/subject.h"

/// What every Store must do. An implementation's test invokes the cases with its harness:
///
///     struct MemoryHarness {
///         explicit MemoryHarness(const test::store::Bounds& bounds);
///         ra::gateway::Store& store();
///         ra::BootTime now();
///         void pass(std::chrono::seconds time);  // and whatever housekeeping is due by then
///     };
///     using namespace test::store;
///     CMPGATE_STORE_CONFORMS(MemoryHarness);
///
/// Races between threads are in conformance_races.h, the Inventory in conformance_inventory.h.
namespace test::store {

TEST_CASE_TEMPLATE_DEFINE("S-02: begin claims, once", Harness, store_begin) {
    Subject<Harness> s;
    CHECK_FALSE(s.find(key(1, 1)).has_value());
    const auto version = s.begun(key(1, 1));
    const auto again = s.begin(key(1, 1), s.record(State::in_flight, 9));
    REQUIRE(std::holds_alternative<Exists>(again));
    CHECK(std::get<Exists>(again).found.version == version);
    CHECK(std::get<Exists>(again).found.record.request_digest[0] == 1);
    CHECK(s.store().sizes().open == 1);
}

TEST_CASE_TEMPLATE_DEFINE("S-06: a record keeps what it pins", Harness, store_pins) {
    Subject<Harness> s;
    Record r = s.record(State::in_flight);
    r.request = octets(333);
    r.payer = principal(77);
    const Record want = r;
    REQUIRE(std::holds_alternative<Begun>(s.begin(key(1, 1), r)));
    const auto found = s.find(key(1, 1));
    REQUIRE(found.has_value());
    const Record& got = found->record;
    CHECK(got.state == want.state);
    CHECK(got.request_type == want.request_type);
    CHECK(got.request_digest == want.request_digest);
    CHECK(got.answer == nullptr);
    REQUIRE(got.request != nullptr);
    CHECK(*got.request == *want.request);
    CHECK(got.profile == want.profile);
    CHECK(got.upstream == want.upstream);
    CHECK(got.operation == want.operation);
    CHECK(got.label == want.label);
    CHECK(got.ee_nonce == want.ee_nonce);
    CHECK(got.first_nonce == want.first_nonce);
    CHECK(got.ca_nonce == want.ca_nonce);
    CHECK(got.cert_req_id == want.cert_req_id);
    CHECK(got.implicit_confirm_requested);
    CHECK(got.verified);
    CHECK(got.signer == want.signer);
    CHECK(got.responder == want.responder);
    CHECK(got.treatment == want.treatment);
    CHECK(got.credential == want.credential);
    CHECK(got.answer_credential == want.answer_credential);
    CHECK(got.sent_as_cr == want.sent_as_cr);
    CHECK(got.payer == want.payer);
    CHECK(got.url == want.url);
    CHECK(got.expires == want.expires);
    CHECK(got.remember_until == want.remember_until);
}

TEST_CASE_TEMPLATE_DEFINE("S-03: {upstream, transactionID} is claimed exclusively", Harness,
                          store_claims) {
    Subject<Harness> s;
    const auto version = s.begun(key(1, 1));

    const auto stolen = s.begin(key(2, 1));
    REQUIRE(std::holds_alternative<IdInUse>(stolen));
    CHECK(std::get<IdInUse>(stolen).holder == principal(1));
    CHECK_FALSE(s.find(key(2, 1)).has_value());

    Record elsewhere = s.record(State::in_flight);
    elsewhere.upstream = "other ca";
    CHECK(std::holds_alternative<Begun>(s.begin(key(2, 1), elsewhere)));
    CHECK(s.claims(1).size() == 2);
    CHECK(s.claims(2).empty());

    // The claim outlives every state but the last.
    auto next = s.advance(key(1, 1), version, s.record(State::expects_certconf));
    REQUIRE(next.has_value());
    CHECK(std::holds_alternative<IdInUse>(s.begin(key(3, 1))));
    next = s.advance(key(1, 1), *next, s.record(State::outcome_unknown));
    REQUIRE(next.has_value());
    CHECK(std::holds_alternative<IdInUse>(s.begin(key(3, 1))));
    REQUIRE(s.advance(key(1, 1), *next, s.finished()).has_value());
    CHECK(s.claims(1).size() == 1);
    CHECK(std::holds_alternative<Begun>(s.begin(key(3, 1))));
}

TEST_CASE_TEMPLATE_DEFINE("S-03: at most four claims are told", Harness, store_claims_bound) {
    Subject<Harness> s;
    for (unsigned who = 0; who < 6; ++who) {
        Record r = s.record(State::in_flight);
        r.upstream = "ca " + std::to_string(who);
        REQUIRE(std::holds_alternative<Begun>(s.begin(key(who, 1), r)));
    }
    CHECK(s.claims(1).size() == 4);
}

TEST_CASE_TEMPLATE_DEFINE("S-01: only the version last read can change a record", Harness,
                          store_versions) {
    Subject<Harness> s;
    const auto first = s.begun(key(1, 1));
    const auto second = s.advance(key(1, 1), first, s.record(State::expects_certconf, 2));
    REQUIRE(second.has_value());
    CHECK(*second != first);

    CHECK_FALSE(s.advance(key(1, 1), first, s.record(State::finished, 3)).has_value());
    CHECK_FALSE(s.advance(key(1, 1), 0, s.finished()).has_value());
    CHECK_FALSE(s.advance(key(2, 1), *second, s.finished()).has_value());
    CHECK_FALSE(s.advance(key(1, 2), *second, s.finished()).has_value());
    CHECK_FALSE(s.release(key(1, 1), first));
    CHECK_FALSE(s.release(key(2, 1), *second));

    const auto found = s.find(key(1, 1));
    REQUIRE(found.has_value());
    CHECK(found->version == *second);
    CHECK(found->record.request_digest[0] == 2);
    CHECK(found->record.state == State::expects_certconf);
}

TEST_CASE_TEMPLATE_DEFINE("S-04: release leaves nothing behind", Harness, store_release) {
    Subject<Harness> s;
    Record r = s.record(State::in_flight);
    r.request = octets(4000);
    const auto result = s.begin(key(1, 1), r);
    REQUIRE(std::holds_alternative<Begun>(result));
    CHECK(s.release(key(1, 1), std::get<Begun>(result).version));
    CHECK_FALSE(s.find(key(1, 1)).has_value());
    CHECK(s.claims(1).empty());
    CHECK(s.is_empty());
    s.begun(key(2, 1));
}

TEST_CASE_TEMPLATE_DEFINE("S-04: what expires in flight is of unknown outcome", Harness,
                          store_expiry_in_flight) {
    Subject<Harness> s;
    const auto version = s.begun(key(1, 1));
    s.pass(seconds{301});
    CHECK_FALSE(s.advance(key(1, 1), version, s.finished()).has_value());
    const auto found = s.find(key(1, 1));
    REQUIRE(found.has_value());
    CHECK(found->record.state == State::outcome_unknown);
    CHECK(found->record.answer == nullptr);
    CHECK(std::holds_alternative<Exists>(s.begin(key(1, 1))));
    CHECK(s.claims(1).empty());
    CHECK(s.store().sizes().open == 0);
    s.pass(seconds{601});
    CHECK(s.is_empty());
}

TEST_CASE_TEMPLATE_DEFINE("S-03: a CA that is lost does not use up what a device may have open",
                          Harness, store_lost) {
    Bounds bounds;
    bounds.open_per_principal = 3;
    Subject<Harness> s{bounds};
    for (unsigned which = 1; which <= 9; ++which) {
        const auto version = s.begun(key(1, which));
        Record lost = s.record(State::outcome_unknown);
        lost.in_doubt = "no-answer";
        REQUIRE(s.advance(key(1, which), version, lost).has_value());
    }
    // What is open counts as ever, and what is unknown keeps its claim.
    for (unsigned which = 11; which <= 13; ++which) s.begun(key(1, which));
    CHECK(s.full(key(1, 14)) == "open per principal");
    CHECK(std::holds_alternative<IdInUse>(s.begin(key(2, 1))));
    CHECK(s.find(key(1, 1))->record.state == State::outcome_unknown);
    s.pass(seconds{301});
    CHECK(s.find(key(1, 1))->record.state == State::outcome_unknown);
    CHECK(s.store().sizes().open == 0);
    for (unsigned which = 21; which <= 23; ++which) s.begun(key(1, which));
    CHECK(s.full(key(1, 24)) == "open per principal");
    s.pass(seconds{1000});
    s.pass(seconds{1000});
    CHECK(s.is_empty());
}

TEST_CASE_TEMPLATE_DEFINE("an open transaction expires, is remembered, and gives up its claim",
                          Harness, store_expiry) {
    Subject<Harness> s;
    auto version = s.begun(key(1, 1));
    Record waiting = s.record(State::expects_certconf, 4);
    waiting.answer = octets(50);
    version = s.advance(key(1, 1), version, waiting).value();
    s.pass(seconds{299});
    CHECK(s.find(key(1, 1))->version == version);
    s.pass(seconds{2});
    CHECK_FALSE(s.advance(key(1, 1), version, s.finished()).has_value());
    const auto found = s.find(key(1, 1));
    REQUIRE(found.has_value());
    CHECK(found->record.state == State::finished);
    CHECK(found->record.request_digest[0] == 4);
    CHECK(found->record.answer != nullptr);
    s.begun(key(2, 1));
}

TEST_CASE_TEMPLATE_DEFINE("a watch is called once, when its version is gone", Harness,
                          store_watches) {
    Subject<Harness> s;
    auto version = s.begun(key(1, 1));
    int called = 0;
    const auto count = [&called] { ++called; };

    CHECK(s.store().watch(key(1, 1), version + 1, count) == 0);
    CHECK(s.store().watch(key(2, 1), version, count) == 0);
    CHECK(s.store().watch(key(1, 2), version, count) == 0);
    REQUIRE(s.store().watch(key(1, 1), version, count) != 0);
    CHECK_FALSE(s.advance(key(1, 1), version + 1, s.finished()).has_value());
    CHECK(called == 0);
    const auto stale = version;
    version = s.advance(key(1, 1), version, s.record(State::expects_certconf)).value();
    CHECK(called == 1);
    CHECK(s.store().watch(key(1, 1), stale, count) == 0);

    const auto id = s.store().watch(key(1, 1), version, count);
    REQUIRE(id != 0);
    s.store().unwatch(key(1, 1), id);
    s.store().unwatch(key(1, 1), id);
    CHECK(s.store().sizes().watches == 0);

    REQUIRE(s.store().watch(key(1, 1), version, count) != 0);
    REQUIRE(s.advance(key(1, 1), version, s.finished()).has_value());
    CHECK(called == 2);

    const auto released = s.begun(key(1, 5));
    REQUIRE(s.store().watch(key(1, 5), released, count) != 0);
    REQUIRE(s.release(key(1, 5), released));
    CHECK(called == 3);

    REQUIRE(s.store().watch(key(1, 6), s.begun(key(1, 6)), count) != 0);
    s.pass(seconds{301});
    CHECK(called == 4);
    CHECK(s.store().sizes().watches == 0);
}

TEST_CASE_TEMPLATE_DEFINE("S-02: waiters are bounded, and may use the store when called", Harness,
                          store_watch_bound) {
    Bounds bounds;
    bounds.watches_per_record = 3;
    Subject<Harness> s{bounds};
    const auto version = s.begun(key(1, 1));
    int seen = 0;
    const auto look = [&] {
        const auto found = s.find(key(1, 1));
        if (found.has_value() && found->record.state == State::finished) ++seen;
    };
    for (int i = 0; i < 3; ++i) CHECK(s.store().watch(key(1, 1), version, look) != 0);
    CHECK(s.store().watch(key(1, 1), version, look) == 0);
    CHECK(s.store().sizes().watches == 3);
    REQUIRE(s.advance(key(1, 1), version, s.finished()).has_value());
    CHECK(seen == 3);
}

TEST_CASE_TEMPLATE_DEFINE("transactionIDs of every size are told apart", Harness, store_sizes) {
    Subject<Harness> s;
    std::vector<std::uint64_t> versions;
    for (std::size_t size = 16; size <= 64; ++size) {
        const TransactionKey k{principal(1), transaction_id(1, size)};
        versions.push_back(s.begun(k));
    }
    for (std::size_t size = 16; size <= 64; ++size) {
        const TransactionKey k{principal(1), transaction_id(1, size)};
        const auto found = s.find(k);
        REQUIRE(found.has_value());
        CHECK(found->version == versions[size - 16]);
        REQUIRE(s.advance(k, found->version, s.finished(10, static_cast<std::uint8_t>(size))));
        CHECK(s.find(k)->record.request_digest[0] == size);
    }
}

}  // namespace test::store

/// All of them for one harness.
#define CMPGATE_STORE_CONFORMS(...)                                 \
    TEST_CASE_TEMPLATE_INVOKE(store_begin, __VA_ARGS__);            \
    TEST_CASE_TEMPLATE_INVOKE(store_pins, __VA_ARGS__);             \
    TEST_CASE_TEMPLATE_INVOKE(store_claims, __VA_ARGS__);           \
    TEST_CASE_TEMPLATE_INVOKE(store_claims_bound, __VA_ARGS__);     \
    TEST_CASE_TEMPLATE_INVOKE(store_versions, __VA_ARGS__);         \
    TEST_CASE_TEMPLATE_INVOKE(store_finished, __VA_ARGS__);         \
    TEST_CASE_TEMPLATE_INVOKE(store_horizon, __VA_ARGS__);          \
    TEST_CASE_TEMPLATE_INVOKE(store_eviction, __VA_ARGS__);         \
    TEST_CASE_TEMPLATE_INVOKE(store_full, __VA_ARGS__);             \
    TEST_CASE_TEMPLATE_INVOKE(store_open_bounds, __VA_ARGS__);      \
    TEST_CASE_TEMPLATE_INVOKE(store_opaque, __VA_ARGS__);           \
    TEST_CASE_TEMPLATE_INVOKE(store_release, __VA_ARGS__);          \
    TEST_CASE_TEMPLATE_INVOKE(store_expiry_in_flight, __VA_ARGS__); \
    TEST_CASE_TEMPLATE_INVOKE(store_expiry, __VA_ARGS__);           \
    TEST_CASE_TEMPLATE_INVOKE(store_lost, __VA_ARGS__);             \
    TEST_CASE_TEMPLATE_INVOKE(store_watches, __VA_ARGS__);          \
    TEST_CASE_TEMPLATE_INVOKE(store_watch_bound, __VA_ARGS__);      \
    TEST_CASE_TEMPLATE_INVOKE(store_sizes, __VA_ARGS__)
