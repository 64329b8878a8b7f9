#include <sqlite3.h>

#include "tests/ra/store/conformance.h"
#include "tests/ra/store/conformance_inventory.h"
#include "tests/ra/store/sqlite_world.h"

/// What a restart leaves of keys and revocations, and of the ledger.
using namespace ra;
using namespace std::chrono_literals;
using namespace test::store;

namespace {

void edit(SqliteWorld& world, const std::string& sql) {
    sqlite3* connection = nullptr;
    REQUIRE(sqlite3_open_v2("store.db", &connection, SQLITE_OPEN_READWRITE,
                            world.disk().name().c_str()) == SQLITE_OK);
    const int code = sqlite3_exec(connection, sql.c_str(), nullptr, nullptr, nullptr);
    CAPTURE(sqlite3_errmsg(connection));
    CHECK(code == SQLITE_OK);
    sqlite3_close(connection);
}

/// Waits until what was left to be written is: a transaction's end comes after it.
void settle(SqliteWorld& world, unsigned which) {
    Record record;
    record.state = State::in_flight;
    record.request_type = cmp::BodyType::ir;
    record.upstream = "ca";
    record.expires = world.now() + 300s;
    record.remember_until = world.now() + 900s;
    const auto begun = test::run(world.store().begin(key(90, which), record));
    REQUIRE(std::holds_alternative<Begun>(begun));
    record.state = State::finished;
    REQUIRE(std::holds_alternative<Advanced>(
        test::run(world.store().advance(key(90, which), std::get<Begun>(begun).version, record))));
}

}  // namespace

TEST_SUITE("ra/store") {
    TEST_CASE("S-14, S-33: a restart knows whose keys are certified, and what was revoked") {
        InventorySubject<SqliteWorld> s;
        REQUIRE(s.put(1, 0, holder(1)));
        REQUIRE(s.put(1, s.find(1)->version, holder(1, 4)));  // updated
        REQUIRE(s.put(2, 0, holder(2)));
        s.revoke(7, 1);
        settle(s.harness(), 1);
        const std::uint64_t commits = s.harness().sqlite().figures().commits;
        s.harness().restart();
        CHECK(s.inventory().sizes().keys == 2);
        CHECK(s.find(1)->holder == holder(1, 4));
        CHECK(s.find(2)->holder == holder(2));
        CHECK_FALSE(s.find(3).has_value());
        CHECK(s.is_revoked(7, 1));
        CHECK_FALSE(s.is_revoked(7, 2));
        CHECK(s.harness().alarms().empty());
        // No sync of its own: what nobody waits for goes with what somebody does.
        CHECK(commits <= 7);

        // It goes on: versions are of this run, and rows of before are found again.
        REQUIRE(s.put(2, s.find(2)->version, holder(3)));
        settle(s.harness(), 2);
        s.harness().restart();
        CHECK(s.find(2)->holder == holder(3));
        CHECK(s.inventory().sizes().keys == 2);
    }

    TEST_CASE("S-14: what had to go is gone from the disk, too") {
        Bounds bounds;
        bounds.certified_keys = 10;
        bounds.revoked = 10;
        InventorySubject<SqliteWorld> s{bounds};
        for (unsigned i = 0; i < 15; ++i) {
            REQUIRE(s.put(i, 0, holder(i)));
            s.revoke(1, i);
        }
        settle(s.harness(), 1);
        s.harness().restart();
        CHECK(s.inventory().sizes().keys == 10);
        CHECK(s.inventory().sizes().revoked == 10);
        for (unsigned i = 0; i < 15; ++i) {
            CHECK(s.find(i).has_value() == (i >= 5));
            CHECK(s.is_revoked(1, i) == (i >= 5));
        }
        // With less room than before, the oldest go.
        bounds.certified_keys = 3;
        bounds.revoked = 2;
        s.harness().stop();
        s.harness().use(bounds);
        s.harness().start();
        CHECK(s.inventory().sizes().keys == 3);
        CHECK(s.inventory().sizes().revoked == 2);
        bounds.certified_keys = 100;
        s.harness().stop();
        s.harness().use(bounds);
        s.harness().start();
        CHECK(s.inventory().sizes().keys == 3);
        CHECK(s.harness().alarms().empty());
    }

    TEST_CASE("S-24: keys and revocations stand on the disk sealed, and edited ones are alarmed") {
        InventorySubject<SqliteWorld> s;
        REQUIRE(s.put(1, 0, holder(1)));
        REQUIRE(s.put(2, 0, holder(2)));
        s.revoke(7, 1);
        settle(s.harness(), 1);
        s.harness().stop();
        const policy::Principal who = principal(1);
        for (const auto& [name, content] : s.harness().disk().files())
            CHECK(as_text(content).find(as_text(who.digest)) == std::string_view::npos);
        edit(s.harness(),
             "UPDATE certified_keys SET sealed = (SELECT sealed FROM certified_keys "
             "WHERE id = 2) WHERE id = 1; DELETE FROM revoked");
        s.harness().start();
        CHECK(s.harness().alarms().size() == 2);
        CHECK_FALSE(s.find(1).has_value());
        CHECK(s.find(2)->holder == holder(2));
    }

    TEST_CASE("a store of before there were keys in it is brought up to date") {
        InventorySubject<SqliteWorld> s;
        settle(s.harness(), 1);
        s.harness().stop();
        edit(s.harness(), "DROP TABLE certified_keys; DROP TABLE revoked; PRAGMA user_version = 2");
        s.harness().start();
        CHECK(test::run(s.harness().store().find(key(90, 1))).has_value());
        REQUIRE(s.put(1, 0, holder(1)));
        settle(s.harness(), 2);
        s.harness().restart();
        CHECK(s.find(1).has_value());
        CHECK(s.harness().alarms().empty());
    }

    TEST_CASE("S-04: an entry of the ledger can be cleared, and stays so") {
        Subject<SqliteWorld> s;
        for (unsigned which = 1; which <= 3; ++which) {
            const auto version = s.begun(key(1, which));
            Record lost = s.record(State::outcome_unknown);
            lost.in_doubt = "no-answer";
            REQUIRE(s.advance(key(1, which), version, lost).has_value());
        }
        REQUIRE(s.harness().sqlite().sizes().orphans == 3);
        const auto clear = [&](std::int64_t id) {
            return test::run(s.harness().sqlite().clear_orphan(id));
        };
        CHECK(clear(2) == std::optional{true});
        CHECK(clear(2) == std::optional{false});  // once
        CHECK(clear(99) == std::optional{false});
        CHECK(clear(0) == std::optional{false});
        CHECK(clear(-1) == std::optional{false});
        CHECK(s.harness().sqlite().sizes().orphans == 2);
        s.harness().restart();
        CHECK(s.harness().sqlite().sizes().orphans == 2);
        CHECK(s.harness().alarms().empty());  // nobody edited it
        s.harness().disk().set_full(true);
        CHECK_FALSE(clear(1).has_value());
        CHECK(s.harness().sqlite().sizes().orphans == 2);
        s.harness().disk().set_full(false);
    }
}
