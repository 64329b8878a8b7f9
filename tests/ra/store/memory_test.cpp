#include "ra/store/memory.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "ra/base/keyed_hash.h"
#include "ra/store/memory_inventory.h"
#include "tests/ra/store/conformance.h"
#include "tests/ra/store/conformance_inventory.h"
#include "tests/ra/store/conformance_races.h"
#include "tests/ra/store/conformance_secrets.h"
#include "tests/support/fake_clock.h"
#include "tests/support/seeded_random.h"

using namespace ra;
using namespace std::chrono_literals;
using namespace test::store;  // the invoked cases must be visible by name

namespace {

template <std::size_t Shards>
class Harness {
public:
    explicit Harness(const test::store::Bounds& bounds)
        : store_{clock_, random_, of(bounds)}, inventory_{of_inventory(bounds)} {}

    gateway::Store& store() { return store_; }
    gateway::Secrets& secrets() { return store_; }
    gateway::Inventory& inventory() { return inventory_; }
    BootTime now() { return clock_.boot_now(); }
    void pass(std::chrono::seconds time) {
        clock_.pass(time);
        store_.sweep();
    }

private:
    static store::MemorySettings of(const test::store::Bounds& bounds) {
        store::MemorySettings made;
        made.open = bounds.open;
        made.open_per_principal = bounds.open_per_principal;
        made.remembered = bounds.remembered;
        made.remembered_per_principal = bounds.remembered_per_principal;
        made.opaque_percent = bounds.opaque_percent;
        made.kept_octets = bounds.kept_octets;
        made.watches_per_record = bounds.watches_per_record;
        made.shards = Shards;
        return made;
    }
    static store::InventorySettings of_inventory(const test::store::Bounds& bounds) {
        return {bounds.certified_keys, bounds.revoked};
    }
    test::FakeClock clock_;
    test::SeededRandom random_{7};
    store::Memory store_;
    store::MemoryInventory inventory_;
};
using OneShard = Harness<1>;  // everything collides
using ManyShards = Harness<64>;

TEST_SUITE("ra/store") {
    CMPGATE_STORE_CONFORMS(OneShard, ManyShards);
    CMPGATE_STORE_RACES(OneShard, ManyShards);
    CMPGATE_STORE_KEEPS_SECRETS(OneShard, ManyShards);
    CMPGATE_STORE_SECRET_RACES(OneShard, ManyShards);
    CMPGATE_INVENTORY_CONFORMS(OneShard);

    TEST_CASE("KeyedHash: vectors of the SipHash paper") {
        // Key 00..0f, input 00..n-1 (Appendix A of the paper; vectors.h of the authors).
        struct Row {
            std::size_t size;
            std::uint64_t want;
        };
        const Row rows[] = {{0, 0x726fdb47dd0e0e31},
                            {1, 0x74f839c593dc67fd},
                            {8, 0x93f5f5799a932462},
                            {15, 0xa129ca6149be45e5}};
        const KeyedHash hash{0x0706050403020100, 0x0f0e0d0c0b0a0908};
        for (const Row& row : rows) {
            CAPTURE(row.size);
            Bytes input;
            for (std::size_t i = 0; i < row.size; ++i)
                input.push_back(static_cast<std::uint8_t>(i));
            CHECK(hash(input) == row.want);
            if (row.size < 8) continue;
            const ByteView all{input};
            CHECK(hash(all.first(8), all.subspan(8)) == row.want);
        }
    }

    TEST_CASE("Memory: the oldest answer goes first") {
        test::store::Bounds bounds;
        bounds.kept_octets = 3000;
        test::store::Subject<OneShard> s{bounds};
        for (unsigned i = 0; i < 5; ++i) s.finish(test::store::key(1, i), 1000);
        for (unsigned i = 0; i < 5; ++i) {
            CAPTURE(i);
            CHECK((s.find(test::store::key(1, i))->record.answer != nullptr) == (i >= 2));
        }
    }

    TEST_CASE("Memory: octets of open transactions are bounded") {
        test::FakeClock clock;
        test::SeededRandom random{1};
        store::MemorySettings settings;
        settings.open_octets = 1000;
        store::Memory memory{clock, random, settings};
        gateway::Record record;
        record.expires = clock.boot_now() + 10s;
        record.remember_until = clock.boot_now() + 10s;
        record.request = test::store::octets(600);
        const auto k = test::store::key(1, 1), l = test::store::key(1, 2);
        REQUIRE(std::holds_alternative<gateway::Begun>(test::run(memory.begin(k, record))));
        const auto second = test::run(memory.begin(l, record));
        REQUIRE(std::holds_alternative<gateway::Full>(second));
        CHECK(std::get<gateway::Full>(second).bound == "open octets");
        clock.pass(11s);
        CHECK(std::holds_alternative<gateway::Begun>(test::run(memory.begin(k, record))));
    }

    TEST_CASE("Memory: a sweep goes on where the last one stopped") {
        test::FakeClock clock;
        test::SeededRandom random{1};
        store::Memory memory{clock, random};
        gateway::Record record;
        record.expires = clock.boot_now() + 10s;
        record.remember_until = clock.boot_now() + 20s;
        for (unsigned i = 0; i < 1000; ++i) {
            const auto k = test::store::key(i, i);
            REQUIRE(std::holds_alternative<gateway::Begun>(test::run(memory.begin(k, record))));
        }
        clock.pass(15s);
        for (int i = 0; i < 1000 && memory.sizes().open != 0; ++i) memory.sweep(100);
        CHECK(memory.sizes().open == 0);
        CHECK(memory.sizes().remembered == 1000);
        clock.pass(10s);
        for (int i = 0; i < 1000 && memory.sizes().remembered != 0; ++i) memory.sweep(100);
        CHECK(memory.sizes().remembered == 0);
    }

    TEST_CASE("S-43: a wall clock that steps forgets nothing, and keeps nothing longer") {
        test::FakeClock clock;
        test::SeededRandom random{1};
        store::Memory memory{clock, random};
        gateway::Record record;
        record.expires = clock.boot_now() + 300s;
        record.remember_until = clock.boot_now() + 900s;
        const auto open = test::store::key(1, 1), finished = test::store::key(1, 2);
        const auto begun = test::run(memory.begin(finished, record));
        gateway::Record end = record;
        end.state = gateway::State::finished;
        (void)test::run(
            memory.advance(finished, std::get<gateway::Begun>(begun).version, std::move(end)));
        REQUIRE(std::holds_alternative<gateway::Begun>(test::run(memory.begin(open, record))));
        for (const auto step : {-24h * 365, 24h * 365 * 2, -24h * 365 * 60}) {
            clock.step_wall(step);
            memory.sweep();
            CHECK(memory.sizes().open == 1);
            CHECK(test::run(memory.find(finished)).has_value());
        }
        clock.pass(301s);
        memory.sweep();
        CHECK(memory.sizes().open == 0);
        clock.pass(600s);
        memory.sweep();
        CHECK(memory.sizes().remembered == 0);
    }

    TEST_CASE("Memory: shards that are no power of two are refused") {
        test::FakeClock clock;
        test::SeededRandom random{1};
        for (const std::size_t shards : {0UL, 3UL, 65UL}) {
            store::MemorySettings settings;
            settings.shards = shards;
            CHECK_THROWS_AS((store::Memory{clock, random, settings}), std::invalid_argument);
        }
    }

    /// Begin, answered, found again: what each transaction costs the store.
    boost::asio::awaitable<void> transactions(gateway::Store & store, BootTime now,
                                              unsigned count) {
        gateway::Record record;
        record.profile = "devices";
        record.upstream = "corporate";
        record.ee_nonce = Bytes(16);
        record.first_nonce = Bytes(16);
        record.expires = now + 300s;
        record.remember_until = now + 900s;
        const auto answer = test::store::octets(1500);
        for (unsigned i = 0; i < count; ++i) {
            const auto k = test::store::key(i % 1000, i);
            const auto begun = co_await store.begin(k, record);
            gateway::Record last = record;
            last.state = gateway::State::finished;
            last.answer = answer;
            co_await store.advance(k, std::get<gateway::Begun>(begun).version, std::move(last));
            const auto found = co_await store.find(k);
            if (!found) throw std::logic_error{"lost"};
        }
    }

    TEST_CASE("Memory: cost of begin, advance, find" * doctest::skip()) {
        constexpr unsigned kCount = 500'000;
        test::FakeClock clock;
        test::SeededRandom random{1};
        store::Memory memory{clock, random};
        const auto before = std::chrono::steady_clock::now();
        test::run(transactions(memory, clock.boot_now(), kCount));
        const std::chrono::duration<double, std::nano> took =
            std::chrono::steady_clock::now() - before;
        MESSAGE("begin + advance + find: " << took.count() / kCount
                                           << " ns, records: " << memory.sizes().remembered);
    }
}

}  // namespace
