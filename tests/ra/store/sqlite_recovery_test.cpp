#include <filesystem>
#include <fstream>

#include "tests/ra/store/sqlite_world.h"

using namespace ra;
using namespace std::chrono_literals;
using namespace test::store;

namespace {

/// What stands in the ledger of a world that has stopped.
std::vector<store::Orphan> orphans_of(SqliteWorld& world, const std::filesystem::path& scratch) {
    // read_orphans() opens what is on a real disk, as an operator's command does.
    for (const auto& [name, content] : world.disk().files()) {
        if (name.starts_with("temporary")) continue;
        std::ofstream file{scratch / name, std::ios::binary};
        file.write(reinterpret_cast<const char*>(content.data()),
                   static_cast<std::streamsize>(content.size()));
    }
    return store::read_orphans((scratch / "store.db").string(), store_key());
}

struct Scratch {
    std::filesystem::path path;
    Scratch() {
        std::string pattern = (std::filesystem::temp_directory_path() / "cmpgate-XXXXXX").string();
        path = ::mkdtemp(pattern.data());
    }
    ~Scratch() { std::filesystem::remove_all(path); }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
};

crypto::CertificatePtr device() {
    return crypto::load_certificates(std::string(CMPGATE_SOURCE_DIR) + "/tests/vectors/cmp/ee.pem")
        .front();
}

TEST_SUITE("ra/store") {
    TEST_CASE("S-04: after a crash an intent without answer is of unknown outcome, in the ledger") {
        Subject<SqliteWorld> s;
        Record r = s.record(State::in_flight);
        r.request = octets(333);
        REQUIRE(std::holds_alternative<Begun>(s.begin(key(1, 1), r)));
        s.finish(key(1, 2));
        s.harness().restart();

        const auto found = s.find(key(1, 1));
        REQUIRE(found.has_value());
        CHECK(found->record.state == State::outcome_unknown);
        CHECK(found->record.answer == nullptr);
        CHECK(found->record.request_digest == r.request_digest);
        CHECK(std::holds_alternative<Exists>(s.begin(key(1, 1))));
        // Nobody else begins it upstream either.
        CHECK(std::holds_alternative<IdInUse>(s.begin(key(2, 1))));
        CHECK(s.harness().sqlite().in_doubt() == 1);
        CHECK(s.store().sizes().orphans == 1);

        // Another crash lists nothing twice.
        s.harness().restart();
        CHECK(s.harness().sqlite().in_doubt() == 0);
        CHECK(s.find(key(1, 1))->record.state == State::outcome_unknown);
        s.harness().stop();
        const Scratch scratch;
        const auto ledger = orphans_of(s.harness(), scratch.path);
        REQUIRE(ledger.size() == 1);
        CHECK(ledger[0].why == "crash");
        CHECK(ledger[0].key == key(1, 1));
        CHECK(ledger[0].request == *r.request);
        CHECK(ledger[0].upstream == r.upstream);
        CHECK(ledger[0].at == s.harness().clock().wall_now());
        CHECK_THROWS_AS(
            (void)store::read_orphans((scratch.path / "store.db").string(), store_key(1)),
            std::runtime_error);
    }

    TEST_CASE("S-06: a transaction keeps what it pins over a crash") {
        Subject<SqliteWorld> s;
        const auto version = s.begun(key(1, 1));
        Record want = s.record(State::expects_certconf, 9);
        want.answer = octets(1500, 3);
        want.request = octets(700, 4);
        want.payer = principal(77);
        want.signer = device();
        want.responder = device();
        REQUIRE(s.advance(key(1, 1), version, want).has_value());
        s.harness().restart();

        const auto found = s.find(key(1, 1));
        REQUIRE(found.has_value());
        const Record& got = found->record;
        CHECK(got.state == want.state);
        CHECK(got.request_type == want.request_type);
        CHECK(got.request_digest == want.request_digest);
        REQUIRE(got.answer != nullptr);
        CHECK(*got.answer == *want.answer);
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
        CHECK(got.implicit_confirm_requested == want.implicit_confirm_requested);
        CHECK(got.verified == want.verified);
        REQUIRE(got.signer != nullptr);
        CHECK(got.signer->digest() == want.signer->digest());
        REQUIRE(got.responder != nullptr);
        CHECK(got.responder->digest() == want.responder->digest());
        CHECK(got.treatment == want.treatment);
        CHECK(got.credential == want.credential);
        CHECK(got.answer_credential == want.answer_credential);
        CHECK(got.sent_as_cr == want.sent_as_cr);
        CHECK(got.payer == want.payer);
        CHECK(got.url == want.url);
        CHECK(got.expires == want.expires);
        CHECK(got.remember_until == want.remember_until);
        CHECK(s.claims(1).size() == 1);
        // And goes on.
        REQUIRE(s.advance(key(1, 1), found->version, s.finished()).has_value());
    }

    TEST_CASE("S-05: replay entries and answers outlive a crash, until their horizon") {
        Subject<SqliteWorld> s;
        for (unsigned i = 0; i < 40; ++i) s.finish(key(1, i), 200 + i);
        s.harness().restart();
        CHECK(s.store().sizes().remembered == 40);
        for (unsigned i = 0; i < 40; ++i) {
            const auto found = s.find(key(1, i));
            REQUIRE(found.has_value());
            CHECK(found->record.state == State::finished);
            REQUIRE(found->record.answer != nullptr);
            CHECK(found->record.answer->size() == 200 + i);
            CHECK(std::holds_alternative<Exists>(s.begin(key(1, i))));
        }
        s.pass(899s);
        s.harness().restart();
        CHECK(s.find(key(1, 0)).has_value());
        s.pass(3s);
        s.harness().restart();
        CHECK(s.is_empty());
        s.begun(key(1, 0));
    }

    TEST_CASE("S-05: bounds count after a crash for whom they counted before it") {
        Bounds bounds;
        bounds.remembered_per_principal = 2;
        bounds.opaque_percent = 0;
        Subject<SqliteWorld> s{bounds};
        // Verified ones do not become opaque ones, finished or open.
        s.finish(key(1, 1));
        s.begun(key(2, 2));
        // Another pays for these.
        Record paid = s.record(State::in_flight);
        paid.payer = principal(9);
        REQUIRE(std::holds_alternative<Begun>(s.begin(key(3, 3), paid)));
        paid.state = State::finished;
        REQUIRE(s.advance(key(3, 3), s.find(key(3, 3))->version, paid).has_value());
        s.harness().restart();
        s.begun(key(1, 4));
        s.begun(key(2, 5));
        s.begun(key(9, 6));
        CHECK(s.full(key(9, 7)) == "remembered per principal");
        s.begun(key(3, 8));
        s.begun(key(3, 9));
    }

    TEST_CASE("S-43: a wall clock put back forgets nothing, over a reboot") {
        struct Row {
            const char* name;
            bool reboot;
            std::chrono::seconds step;
            std::chrono::seconds off;
            bool remembered;
        };
        const Row rows[] = {
            {"same boot, clock put back a day", false, -86'400s, 100s, true},
            {"same boot, clock put forward a day", false, 86'400s, 100s, true},
            {"same boot, horizon passed", false, -86'400s, 901s, false},
            {"reboot, as long as the clock says", true, 0s, 100s, true},
            {"reboot, horizon passed", true, 0s, 902s, false},
            {"reboot, clock put back", true, -86'400s, 902s, true},
        };
        for (const Row& row : rows) {
            CAPTURE(row.name);
            Subject<SqliteWorld> s;
            s.finish(key(1, 1));
            s.harness().crash();
            s.harness().clock().step_wall(row.step);
            s.harness().clock().pass(row.off);
            if (row.reboot) s.harness().reboot("boot-2");
            s.harness().start();
            CHECK(s.find(key(1, 1)).has_value() == row.remembered);
        }
    }

    TEST_CASE("S-04: what ends in doubt is written into the ledger with its end") {
        Subject<SqliteWorld> s;
        Record r = s.record(State::outcome_unknown);
        r.in_doubt = "no-answer";
        REQUIRE(s.advance(key(1, 1), s.begun(key(1, 1)), r).has_value());
        Record refused = s.finished();
        refused.in_doubt = "issued-key";
        REQUIRE(s.advance(key(1, 2), s.begun(key(1, 2)), refused).has_value());
        s.finish(key(1, 3));
        CHECK(s.store().sizes().orphans == 2);
        s.pass(10'000s);  // the ledger has no horizon
        s.harness().restart();
        CHECK(s.store().sizes().orphans == 2);
        CHECK(s.harness().alarms().empty());
        s.harness().stop();
        const Scratch scratch;
        const auto ledger = orphans_of(s.harness(), scratch.path);
        REQUIRE(ledger.size() == 2);
        CHECK(ledger[0].why == "no-answer");
        CHECK(ledger[1].why == "issued-key");
    }

    TEST_CASE("released, and what changes nothing, leaves nothing on the disk") {
        Subject<SqliteWorld> s;
        REQUIRE(s.release(key(1, 1), s.begun(key(1, 1))));
        const auto syncs = s.harness().disk().syncs();
        Record genm = s.record(State::in_flight);
        genm.request_type = cmp::BodyType::genm;
        const auto begun = s.begin(key(1, 2), genm);
        REQUIRE(std::holds_alternative<Begun>(begun));
        Record last = s.finished();
        last.request_type = cmp::BodyType::genm;
        REQUIRE(s.advance(key(1, 2), std::get<Begun>(begun).version, last).has_value());
        CHECK(s.harness().disk().syncs() == syncs);
        s.harness().restart();
        CHECK(s.is_empty());
        CHECK(s.store().sizes().orphans == 0);
    }

    TEST_CASE("rows are forgotten on the disk too, and their room used again") {
        Subject<SqliteWorld> s;
        std::size_t octets_then = 0;
        for (unsigned round = 0; round < 6; ++round) {
            for (unsigned i = 0; i < 90; ++i) s.finish(key(round, round * 100 + i), 2000);
            s.pass(1000s);
            s.finish(key(50, 10'000 + round), 0);  // somebody comes by, and it tidies up
            s.pass(2s);
            s.finish(key(51, 20'000 + round), 0);
            s.harness().restart();
            const std::size_t octets_now = s.harness().disk().files().at("store.db").size() +
                                           s.harness().disk().files().at("store.db-wal").size();
            if (round == 1) octets_then = octets_now;
            if (round > 1) CHECK(octets_now <= octets_then + octets_then / 2);
        }
        CHECK(s.harness().alarms().empty());
    }

    TEST_CASE("a full disk refuses what begins, keeps what has happened, and loses nothing") {
        Subject<SqliteWorld> s;
        const auto version = s.begun(key(1, 1));
        s.harness().disk().set_full(true);
        CHECK(s.full(key(1, 2)) == "disk");
        CHECK_FALSE(s.find(key(1, 2)).has_value());
        // The CA has answered: the device gets it, and the record stays what it is.
        Record answered = s.record(State::expects_certconf, 2);
        answered.answer = octets(300);
        const auto next = s.advance(key(1, 1), version, answered);
        REQUIRE(next.has_value());
        CHECK(s.find(key(1, 1))->record.state == State::expects_certconf);
        CHECK(s.full(key(1, 3)) == "disk");
        CHECK_FALSE(s.harness().sqlite().figures().writable);
        CHECK(s.harness().alarms().size() == 1);
        // Reading and what changes nothing go on.
        Record genm = s.record(State::in_flight);
        genm.request_type = cmp::BodyType::genm;
        CHECK(std::holds_alternative<Begun>(s.begin(key(1, 4), genm)));

        s.harness().disk().set_full(false);
        s.pass(2s);
        REQUIRE(s.advance(key(1, 1), *next, s.finished(100, 3)).has_value());
        s.begun(key(1, 2));
        CHECK(s.harness().sqlite().figures().writable);
        s.harness().restart();
        const auto found = s.find(key(1, 1));
        REQUIRE(found.has_value());
        CHECK(found->record.state == State::finished);
        CHECK(found->record.request_digest[0] == 3);
        CHECK(s.find(key(1, 2))->record.state == State::outcome_unknown);
        CHECK_FALSE(s.find(key(1, 3)).has_value());
    }

    TEST_CASE("a disk that does not sync is a disk that refuses") {
        Subject<SqliteWorld> s;
        s.harness().disk().set_broken(true);
        CHECK(s.full(key(1, 1)) == "disk");
        s.harness().disk().set_broken(false);
    }
}

}  // namespace
