#pragma once

#include <string>

#include "tests/ra/store/conformance_races.h"
#include "tests/ra/store/subject.h"

/// What a Store that keeps secrets must do (S-23). The harness has, besides the rest,
/// `ra::gateway::Secrets& secrets()`: the same object.
namespace test::store {

inline ra::Bytes reference(unsigned number) {
    return ra::to_bytes(ra::as_bytes("device-" + std::to_string(number)));
}

inline NewSecret new_secret(unsigned number, std::optional<std::uint32_t> uses = 1) {
    NewSecret made;
    made.reference = reference(number);
    made.octets = ra::Secret{ra::Bytes(32, static_cast<std::uint8_t>(number + 1))};
    made.profile = "line-3";
    made.created = ra::WallTime{seconds{1'790'000'000}};
    made.expires = ra::WallTime{seconds{1'790'086'400}};
    made.uses = uses;
    made.generated = true;
    return made;
}

/// A subject with secrets, and records that use one.
template <class Harness>
class SecretSubject : public Subject<Harness> {
public:
    using Subject<Harness>::Subject;
    using Fate = SecretUse::Fate;

    Secrets& secrets() { return this->harness().secrets(); }
    std::optional<KnownSecret> known(unsigned number) {
        const ra::Bytes name = reference(number);
        return run(secrets().find_secret(name));
    }
    Secrets::Added add(NewSecret secret) { return run(secrets().add_secret(std::move(secret))); }
    bool revoke(unsigned number) {
        const ra::Bytes name = reference(number);
        return run(secrets().revoke_secret(name));
    }
    bool lock(unsigned number, std::uint64_t generation) {
        const ra::Bytes name = reference(number);
        return run(secrets().lock_secret(name, generation));
    }
    std::uint32_t left(unsigned number) { return known(number).value().uses_left.value(); }
    SecretInfo info(unsigned number) {
        for (SecretInfo& one : run(secrets().list_secrets())) {
            if (one.reference == reference(number)) return std::move(one);
        }
        FAIL("not listed");
        return {};
    }

    Record with_use(State state, unsigned number, Fate fate = Fate::reserved) {
        Record made = this->record(state);
        made.secret_use = SecretUse{ra::crypto::sha256(reference(number)),
                                    known(number).value().generation, fate};
        if (state == State::finished) made.answer = octets(40);
        return made;
    }
    std::uint64_t begun_with(const TransactionKey& k, unsigned number) {
        const auto result = this->begin(k, with_use(State::in_flight, number));
        REQUIRE(std::holds_alternative<Begun>(result));
        return std::get<Begun>(result).version;
    }
    std::string_view refused(const TransactionKey& k, const Record& r) {
        const auto result = this->begin(k, r);
        REQUIRE(std::holds_alternative<Full>(result));
        return std::get<Full>(result).bound;
    }
};

TEST_CASE_TEMPLATE_DEFINE("secrets are found as they were added, until revoked", Harness,
                          store_secrets) {
    SecretSubject<Harness> s;
    CHECK_FALSE(s.known(1).has_value());
    REQUIRE(s.add(new_secret(1, 3)) == Secrets::Added::added);
    REQUIRE(s.add(new_secret(2, std::nullopt)) == Secrets::Added::added);
    CHECK(s.add(new_secret(1)) == Secrets::Added::exists);

    const auto found = s.known(1);
    REQUIRE(found.has_value());
    CHECK(ra::equal(found->octets.reveal(), new_secret(1).octets.reveal()));
    CHECK(found->profile == "line-3");
    CHECK(found->expires == new_secret(1).expires);
    CHECK(found->uses_left == 3U);
    CHECK(found->reserved == 0);
    CHECK(found->generated);
    CHECK_FALSE(found->locked);
    CHECK_FALSE(s.known(2)->uses_left.has_value());

    const auto all = run(s.secrets().list_secrets());
    REQUIRE(all.size() == 2);
    CHECK(all[0].reference == reference(1));
    CHECK(all[1].reference == reference(2));
    CHECK(all[0].created == new_secret(1).created);
    CHECK(all[0].uses == 3U);
    CHECK_FALSE(all[1].uses.has_value());

    CHECK(s.revoke(1));
    CHECK_FALSE(s.revoke(1));
    CHECK_FALSE(s.known(1).has_value());
    REQUIRE(s.add(new_secret(1)) == Secrets::Added::added);
    CHECK(s.known(1)->generation != found->generation);
}

TEST_CASE_TEMPLATE_DEFINE("S-22: a lock is for one generation, and for good", Harness,
                          store_secret_lock) {
    SecretSubject<Harness> s;
    REQUIRE(s.add(new_secret(1, 5)) == Secrets::Added::added);
    const Record before = s.with_use(State::in_flight, 1);
    const auto generation = s.known(1)->generation;
    CHECK_FALSE(s.lock(1, generation + 1));
    CHECK_FALSE(s.lock(2, generation));
    CHECK_FALSE(s.known(1)->locked);
    CHECK(s.lock(1, generation));
    CHECK(s.known(1)->locked);
    CHECK(s.info(1).locked);
    CHECK(s.refused(key(1, 1), before) == "secret");
}

TEST_CASE_TEMPLATE_DEFINE("S-23: a claim reserves one use, or there is no claim", Harness,
                          store_secret_reserve) {
    SecretSubject<Harness> s;
    REQUIRE(s.add(new_secret(1, 1)) == Secrets::Added::added);
    const Record second = s.with_use(State::in_flight, 1);
    s.begun_with(key(1, 1), 1);
    CHECK(s.left(1) == 0);
    CHECK(s.known(1)->reserved == 1);
    CHECK(s.refused(key(1, 2), second) == "secret uses");
    CHECK_FALSE(s.find(key(1, 2)).has_value());
    CHECK(s.claims(2).empty());
    CHECK(s.store().sizes().open == 1);
    // The same transaction again is no second use.
    CHECK(std::holds_alternative<Exists>(s.begin(key(1, 1), second)));
    CHECK(s.known(1)->reserved == 1);
    CHECK(s.find(key(1, 1))->record.secret_use == second.secret_use);
}

TEST_CASE_TEMPLATE_DEFINE("S-23: a claim the store has no room for takes no use", Harness,
                          store_secret_no_room) {
    Bounds bounds;
    bounds.open_per_principal = 1;
    SecretSubject<Harness> s{bounds};
    REQUIRE(s.add(new_secret(1, 2)) == Secrets::Added::added);
    s.begun_with(key(1, 1), 1);
    CHECK(s.refused(key(1, 2), s.with_use(State::in_flight, 1)) == "open per principal");
    CHECK(std::holds_alternative<IdInUse>(s.begin(key(2, 1), s.with_use(State::in_flight, 1))));
    CHECK(s.left(1) == 1);
    CHECK(s.known(1)->reserved == 1);
}

TEST_CASE_TEMPLATE_DEFINE("S-23: what becomes of a reserved use", Harness, store_secret_fates) {
    using Fate = SecretUse::Fate;
    struct Row {
        const char* name;
        State state;
        Fate fate;
        std::uint32_t left, used, reserved;
    };
    const Row rows[] = {
        {"certificate delivered", State::expects_certconf, Fate::committed, 0, 1, 0},
        {"waiting", State::expects_poll, Fate::committed, 0, 1, 0},
        {"finished at once", State::finished, Fate::committed, 0, 1, 0},
        {"definitely refused", State::finished, Fate::returned, 1, 0, 0},
        {"ended without a word", State::finished, Fate::reserved, 0, 1, 0},
        {"outcome unknown", State::outcome_unknown, Fate::reserved, 0, 0, 1},
        {"still in flight", State::in_flight, Fate::reserved, 0, 0, 1},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        SecretSubject<Harness> s;
        REQUIRE(s.add(new_secret(1, 1)) == Secrets::Added::added);
        const auto version = s.begun_with(key(1, 1), 1);
        REQUIRE(s.advance(key(1, 1), version, s.with_use(row.state, 1, row.fate)).has_value());
        CHECK(s.left(1) == row.left);
        CHECK(s.info(1).used == row.used);
        CHECK(s.info(1).reserved == row.reserved);
        s.pass(seconds{2000});
        CHECK(s.left(1) == (row.fate == Fate::returned ? 1 : 0));
        CHECK(s.info(1).reserved == 0);
    }
}

TEST_CASE_TEMPLATE_DEFINE("S-23: a fate is settled once", Harness, store_secret_once) {
    using Fate = SecretUse::Fate;
    SecretSubject<Harness> s;
    REQUIRE(s.add(new_secret(1, 2)) == Secrets::Added::added);
    auto version = s.begun_with(key(1, 1), 1);
    version =
        s.advance(key(1, 1), version, s.with_use(State::expects_poll, 1, Fate::committed)).value();
    CHECK(s.find(key(1, 1))->record.secret_use->fate == Fate::committed);
    // A follow-up claims; the CA then refuses: the use stays used.
    version =
        s.advance(key(1, 1), version, s.with_use(State::in_flight, 1, Fate::reserved)).value();
    CHECK(s.find(key(1, 1))->record.secret_use->fate == Fate::committed);
    Record last = s.with_use(State::finished, 1, Fate::returned);
    REQUIRE(s.advance(key(1, 1), version, last).has_value());
    CHECK(s.left(1) == 1);
    CHECK(s.info(1).used == 1);
    // One that lost its race changes nothing.
    CHECK_FALSE(s.advance(key(1, 1), version, last).has_value());
    CHECK(s.left(1) == 1);
}

TEST_CASE_TEMPLATE_DEFINE("S-23: no octet left, nothing used", Harness, store_secret_release) {
    SecretSubject<Harness> s;
    REQUIRE(s.add(new_secret(1, 1)) == Secrets::Added::added);
    const auto version = s.begun_with(key(1, 1), 1);
    CHECK_FALSE(s.release(key(1, 1), version + 1));
    CHECK(s.left(1) == 0);
    REQUIRE(s.release(key(1, 1), version));
    CHECK(s.left(1) == 1);
    CHECK(s.info(1).reserved == 0);
    s.begun_with(key(1, 2), 1);
}

TEST_CASE_TEMPLATE_DEFINE("S-23: a reservation belongs to its generation", Harness,
                          store_secret_generation) {
    SecretSubject<Harness> s;
    REQUIRE(s.add(new_secret(1, 1)) == Secrets::Added::added);
    const Record old = s.with_use(State::in_flight, 1);
    const auto version = s.begun_with(key(1, 1), 1);
    REQUIRE(s.revoke(1));
    REQUIRE(s.add(new_secret(1, 1)) == Secrets::Added::added);
    CHECK(s.left(1) == 1);
    CHECK(s.refused(key(1, 2), old) == "secret");
    Record last = old;
    last.state = State::finished;
    last.secret_use->fate = SecretUse::Fate::committed;
    REQUIRE(s.advance(key(1, 1), version, last).has_value());
    CHECK(s.left(1) == 1);
    CHECK(s.info(1).used == 0);
}

TEST_CASE_TEMPLATE_DEFINE("S-23: many at once never hold more uses than there are", Harness,
                          store_secret_races) {
    using Fate = SecretUse::Fate;
    constexpr unsigned kUses = 40;
    constexpr unsigned kTries = 200;
    Bounds bounds;
    bounds.open = bounds.open_per_principal = 4000;
    bounds.remembered = bounds.remembered_per_principal = 4000;
    SecretSubject<Harness> s{bounds};
    REQUIRE(s.add(new_secret(1, kUses)) == Secrets::Added::added);
    const Record with = s.with_use(State::in_flight, 1);
    std::atomic<unsigned> held{0}, most{0}, committed{0}, refused{0};
    race([&](unsigned thread) {
        for (unsigned i = 0; i < kTries; ++i) {
            const TransactionKey k = key(thread, thread * 1000 + i);
            const auto result = s.begin(k, with);
            if (!std::holds_alternative<Begun>(result)) {
                ++refused;
                continue;
            }
            const unsigned now = ++held;
            for (unsigned seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
            }
            const auto version = std::get<Begun>(result).version;
            Record last = with;
            last.state = State::finished;
            if (i % 16 == 0) {
                ++committed;
                last.secret_use->fate = Fate::committed;
                (void)s.advance(k, version, last);
                continue;
            }
            --held;  // before it is given back: somebody else may have it then
            last.secret_use->fate = Fate::returned;
            if (i % 2 == 0) {
                (void)s.release(k, version);
            } else {
                (void)s.advance(k, version, last);
            }
        }
    });
    CHECK(most <= kUses);
    CHECK(committed <= kUses);
    CHECK(s.info(1).used == committed);
    CHECK(s.info(1).reserved == 0);
    CHECK(s.left(1) == kUses - committed);
}

}  // namespace test::store

/// All of them for one harness.
#define CMPGATE_STORE_KEEPS_SECRETS(...)                          \
    TEST_CASE_TEMPLATE_INVOKE(store_secrets, __VA_ARGS__);        \
    TEST_CASE_TEMPLATE_INVOKE(store_secret_lock, __VA_ARGS__);    \
    TEST_CASE_TEMPLATE_INVOKE(store_secret_reserve, __VA_ARGS__); \
    TEST_CASE_TEMPLATE_INVOKE(store_secret_no_room, __VA_ARGS__); \
    TEST_CASE_TEMPLATE_INVOKE(store_secret_fates, __VA_ARGS__);   \
    TEST_CASE_TEMPLATE_INVOKE(store_secret_once, __VA_ARGS__);    \
    TEST_CASE_TEMPLATE_INVOKE(store_secret_release, __VA_ARGS__); \
    TEST_CASE_TEMPLATE_INVOKE(store_secret_generation, __VA_ARGS__)
/// Several threads at one store.
#define CMPGATE_STORE_SECRET_RACES(...) TEST_CASE_TEMPLATE_INVOKE(store_secret_races, __VA_ARGS__)
