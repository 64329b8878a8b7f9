#include <sqlite3.h>

#include "tests/ra/store/conformance_secrets.h"
#include "tests/ra/store/sqlite_world.h"

/// What somebody else than cmpgate did to the store, and what stands in it about secrets.
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
    CHECK(sqlite3_changes(connection) != 0);
    sqlite3_close(connection);
}

TEST_SUITE("ra/store") {
    TEST_CASE("S-24: rows that were edited are left out, alarmed, and fence what begins") {
        struct Row {
            const char* name;
            const char* sql;
        };
        const Row rows[] = {
            {"octets changed", "UPDATE transactions SET sealed = zeroblob(200) WHERE id = 1"},
            {"one row's octets in another's place",
             "UPDATE transactions SET sealed = (SELECT sealed FROM transactions WHERE id = 2)"
             " WHERE id = 1"},
            {"an older revision", "UPDATE transactions SET revision = 1 WHERE id = 1"},
            {"deleted", "DELETE FROM transactions WHERE id = 1"},
            {"made up", "INSERT INTO transactions VALUES (9, 1, 9000000000000000000, x'00')"},
        };
        for (const Row& row : rows) {
            CAPTURE(row.name);
            Subject<SqliteWorld> s;
            s.finish(key(1, 1));
            s.finish(key(1, 2));
            s.harness().stop();
            edit(s.harness(), row.sql);
            s.harness().start();
            CHECK(s.harness().alarms().size() == 1);
            CHECK(s.harness().sqlite().figures().fenced);
            CHECK(s.full(key(1, 3)) == "replay fence");
            CHECK(s.find(key(1, 2)).has_value());
            s.pass(901s);
            s.begun(key(1, 3));
        }
    }

    TEST_CASE("S-24: nothing of a transaction stands on the disk in clear") {
        Subject<SqliteWorld> s;
        Record r = s.record(State::in_flight);
        r.profile = "a name one would recognise";
        r.request = octets(300, 0x77);
        REQUIRE(std::holds_alternative<Begun>(s.begin(key(1, 1), r)));
        s.harness().stop();
        std::size_t looked_at = 0;
        for (const auto& [name, content] : s.harness().disk().files()) {
            const std::string_view text = as_text(content);
            looked_at += text.size();
            CHECK(text.find("recognise") == std::string_view::npos);
            CHECK(text.find(std::string(16, 0x77)) == std::string_view::npos);
            CHECK(text.find(as_text(ByteView{transaction_id(1)})) == std::string_view::npos);
        }
        CHECK(looked_at > 8192);
    }

    TEST_CASE("S-23: secrets and their uses outlive a crash, and no use comes back") {
        using Fate = SecretUse::Fate;
        SecretSubject<SqliteWorld> s;
        REQUIRE(s.add(new_secret(1, 4)) == Secrets::Added::added);
        REQUIRE(s.add(new_secret(2, 1)) == Secrets::Added::added);
        REQUIRE(s.add(new_secret(3, 1)) == Secrets::Added::added);
        REQUIRE(s.revoke(3));
        const auto generation = s.known(1)->generation;
        const auto use = [&](unsigned which, Fate fate) {
            const auto begun = s.begin(key(1, which), s.with_use(State::in_flight, 1));
            REQUIRE(std::holds_alternative<Begun>(begun));
            Record next = s.with_use(State::expects_certconf, 1, fate);
            next.answer = octets(100);
            REQUIRE(s.advance(key(1, which), std::get<Begun>(begun).version, next).has_value());
        };
        use(1, Fate::committed);
        use(2, Fate::returned);
        // In doubt when the process dies: held, then used up.
        REQUIRE(std::holds_alternative<Begun>(s.begin(key(1, 3), s.with_use(State::in_flight, 1))));
        s.harness().restart();

        const auto known = s.known(1);
        REQUIRE(known.has_value());
        CHECK(known->octets.reveal().size() == 32);
        CHECK(known->generation == generation);
        CHECK(known->profile == "line-3");
        CHECK(known->reserved == 1);
        CHECK(known->uses_left == 2);
        CHECK(s.info(1).used == 1);
        CHECK_FALSE(s.known(3).has_value());
        s.pass(seconds{301});
        CHECK(s.info(1).used == 2);
        CHECK(s.known(1)->reserved == 0);
        s.finish(key(5, 5));  // what the sweep left to be written is
        s.harness().restart();
        CHECK(s.info(1).used == 2);
        s.pass(seconds{100'000});  // transactions are long forgotten, what they used is not
        s.harness().restart();
        CHECK(s.info(1).used == 2);
        CHECK(s.known(1)->uses_left == 2);

        // A reference made anew is another secret.
        REQUIRE(s.add(new_secret(3, 1)) == Secrets::Added::added);
        CHECK(s.known(3)->generation > generation + 2);
        REQUIRE(s.lock(2, s.known(2)->generation));
        s.harness().restart();
        CHECK(s.known(2)->locked);
        CHECK(s.harness().alarms().empty());
    }

    TEST_CASE("S-23: an expired intent that recovery does not put back has used its secret up") {
        SecretSubject<SqliteWorld> s;
        REQUIRE(s.add(new_secret(1, 1)) == Secrets::Added::added);
        REQUIRE(std::holds_alternative<Begun>(s.begin(key(1, 1), s.with_use(State::in_flight, 1))));
        s.harness().crash();
        s.harness().clock().pass(2000s);
        s.harness().start();
        CHECK_FALSE(s.find(key(1, 1)).has_value());
        CHECK(s.left(1) == 0);
        CHECK(s.store().sizes().orphans == 1);
    }

    TEST_CASE("S-24: no secret stands on the disk in clear, nor goes to another row") {
        SecretSubject<SqliteWorld> s;
        NewSecret secret = new_secret(1, 1);
        secret.octets = Secret{to_bytes(as_bytes("correct horse battery staple"))};
        REQUIRE(s.add(std::move(secret)) == Secrets::Added::added);
        REQUIRE(s.add(new_secret(2, 1)) == Secrets::Added::added);
        s.harness().stop();
        for (const auto& [name, content] : s.harness().disk().files())
            CHECK(as_text(content).find("horse") == std::string_view::npos);
        edit(s.harness(),
             "UPDATE secrets SET sealed = (SELECT sealed FROM secrets WHERE id = 2) WHERE id = 1");
        s.harness().start();
        CHECK_FALSE(s.known(1).has_value());
        CHECK(s.known(2).has_value());
        CHECK(s.harness().alarms().size() == 1);
        CHECK(s.harness().sqlite().figures().refused_rows == 1);
    }

    TEST_CASE("a full disk takes no secret, and says so") {
        SecretSubject<SqliteWorld> s;
        s.harness().disk().set_full(true);
        CHECK(s.add(new_secret(1, 1)) == Secrets::Added::full);
        CHECK_FALSE(s.known(1).has_value());
        s.harness().disk().set_full(false);
    }

    TEST_CASE("an older store is brought up to date, and keeps what it holds") {
        SecretSubject<SqliteWorld> s;
        s.finish(key(1, 1));
        s.harness().stop();
        // As schema 1 left it.
        edit(s.harness(),
             "DROP TABLE certified_keys; DROP TABLE revoked; DROP TABLE secrets;"
             "PRAGMA user_version = 1; UPDATE state SET mark = mark");
        s.harness().start();
        CHECK(s.find(key(1, 1)).has_value());
        CHECK(s.add(new_secret(1, 1)) == Secrets::Added::added);
        s.harness().restart();
        CHECK(s.known(1).has_value());
        CHECK(s.harness().alarms().empty());
    }

    TEST_CASE("a store that is not ours to open is refused, with the reason") {
        struct Row {
            const char* name;
            const char* sql;
            const char* want;
        };
        const Row rows[] = {
            {"newer", "PRAGMA user_version = 99; UPDATE state SET mark = mark", "newer cmpgate"},
            {"not ours", "PRAGMA application_id = 1; UPDATE state SET mark = mark", "no store"},
            {"state edited", "UPDATE state SET mark = mark + 1", "store.key does not open it"},
        };
        for (const Row& row : rows) {
            CAPTURE(row.name);
            SqliteWorld world;
            world.stop();
            edit(world, row.sql);
            std::string said;
            try {
                world.start();
            } catch (const std::runtime_error& fault) {
                said = fault.what();
            }
            CHECK(said.find(row.want) != std::string::npos);
        }
        SqliteWorld world;
        world.stop();
        CHECK_THROWS_WITH_AS(world.start(0x43), doctest::Contains("store.key does not open it"),
                             std::runtime_error);
    }
}

}  // namespace
