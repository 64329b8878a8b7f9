#pragma once

#include <doctest/doctest.h>

#include <chrono>
#include <cstring>
#include <optional>

#include "ra/gateway/ports.h"
#include "tests/support/run.h"

/// What every Store must do. An implementation's test invokes the cases with its harness:
///
///     struct MemoryHarness {
///         explicit MemoryHarness(const test::store::Bounds& bounds);
///         ra::gateway::Store& store();
///         ra::BootTime now();
///         void pass(std::chrono::seconds time);  // and whatever housekeeping is due by then
///     };
///     TEST_CASE_TEMPLATE_INVOKE(store_conformance, MemoryHarness);
///
/// Races between threads are in conformance_races.h.
namespace test::store {

using namespace ra::gateway;
using std::chrono::seconds;

/// Bounds the store under test is made with.
struct Bounds {
    std::size_t open = 1000;
    std::size_t open_per_principal = 100;
    std::size_t remembered = 1000;
    std::size_t remembered_per_principal = 100;
    std::size_t kept_octets = 1'000'000;
    std::size_t watches_per_record = 8;
};

inline policy::Principal principal(unsigned number) {
    policy::Principal made;
    std::memcpy(made.digest.data(), &number, sizeof number);
    made.digest[31] = 0x5a;
    return made;
}

inline ra::Bytes transaction_id(unsigned number, std::size_t size = 16) {
    ra::Bytes id(size, 0x7e);
    std::memcpy(id.data(), &number, sizeof number);
    return id;
}

inline TransactionKey key(unsigned who, unsigned which) {
    return {principal(who), transaction_id(which)};
}

inline std::shared_ptr<const ra::Bytes> octets(std::size_t size, std::uint8_t fill = 0xab) {
    return std::make_shared<const ra::Bytes>(size, fill);
}

/// A store and what a gateway would ask of it.
template <class Harness>
class Subject {
public:
    explicit Subject(const Bounds& bounds = {}) : harness_{bounds} {}

    Store& store() { return harness_.store(); }
    void pass(seconds time) { harness_.pass(time); }

    Record record(State state, std::uint8_t digest = 1) {
        Record made;
        made.state = state;
        made.request_type = ra::cmp::BodyType::ir;
        made.request_digest.fill(digest);
        made.profile = "factory floor, line 4";
        made.upstream = "ca";
        made.label = "devices";
        made.operation = ra::Operation::ir;
        made.ee_nonce = transaction_id(11);
        made.first_nonce = transaction_id(12);
        made.ca_nonce = transaction_id(13);
        made.cert_req_id = 7;
        made.implicit_confirm_requested = true;
        made.verified = true;
        made.url = 3;
        made.expires = harness_.now() + seconds{300};
        made.remember_until = harness_.now() + seconds{900};
        return made;
    }
    Record finished(std::size_t answer = 100, std::uint8_t digest = 1) {
        Record made = record(State::finished, digest);
        if (answer != 0) made.answer = octets(answer);
        return made;
    }

    std::optional<Versioned> find(const TransactionKey& k) { return run(store().find(k)); }
    std::vector<Versioned> claims(unsigned which) {
        const ra::Bytes id = transaction_id(which);
        return run(store().find_claims(id));
    }
    BeginResult begin(const TransactionKey& k) { return begin(k, record(State::in_flight)); }
    BeginResult begin(const TransactionKey& k, Record r) {
        return run(store().begin(k, std::move(r)));
    }
    /// Begins what must be possible; its version.
    std::uint64_t begun(const TransactionKey& k) {
        const auto result = begin(k);
        REQUIRE(std::holds_alternative<Begun>(result));
        return std::get<Begun>(result).version;
    }
    std::optional<std::uint64_t> advance(const TransactionKey& k, std::uint64_t version, Record r) {
        const auto result = run(store().advance(k, version, std::move(r)));
        if (const auto* advanced = std::get_if<Advanced>(&result)) return advanced->version;
        return std::nullopt;
    }
    bool release(const TransactionKey& k, std::uint64_t version) {
        return std::holds_alternative<Advanced>(run(store().release(k, version)));
    }
    void finish(const TransactionKey& k, std::size_t answer = 100) {
        REQUIRE(advance(k, begun(k), finished(answer)).has_value());
    }
    std::optional<std::string_view> full(const TransactionKey& k) {
        const auto result = begin(k);
        if (const auto* bound = std::get_if<Full>(&result)) return bound->bound;
        return std::nullopt;
    }
    bool is_empty() {
        const auto sizes = store().sizes();
        CAPTURE(sizes.open);
        CAPTURE(sizes.remembered);
        CAPTURE(sizes.kept_octets);
        CAPTURE(sizes.watches);
        CHECK(sizes.open == 0);
        CHECK(sizes.remembered == 0);
        CHECK(sizes.kept_octets == 0);
        CHECK(sizes.watches == 0);
        return sizes.open + sizes.remembered + sizes.kept_octets + sizes.watches == 0;
    }

private:
    Harness harness_;
};

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
    TEST_CASE_TEMPLATE_INVOKE(store_release, __VA_ARGS__);          \
    TEST_CASE_TEMPLATE_INVOKE(store_expiry_in_flight, __VA_ARGS__); \
    TEST_CASE_TEMPLATE_INVOKE(store_expiry, __VA_ARGS__);           \
    TEST_CASE_TEMPLATE_INVOKE(store_watches, __VA_ARGS__);          \
    TEST_CASE_TEMPLATE_INVOKE(store_watch_bound, __VA_ARGS__);      \
    TEST_CASE_TEMPLATE_INVOKE(store_sizes, __VA_ARGS__)
