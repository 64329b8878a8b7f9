#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "ra/store/sqlite.h"
#include "tests/ra/store/conformance_inventory.h"
#include "tests/support/fake_clock.h"
#include "tests/support/ram_vfs.h"
#include "tests/support/seeded_random.h"

/// Power fails at every point of a recorded workload; what was promised must be there afterwards.
using namespace ra;
using namespace std::chrono_literals;
using namespace test::store;
using test::CrashImages;
using test::RamVfs;
using test::SeededRandom;

namespace {

constexpr unsigned kTransactions = 120;

/// What the store has let happen to one transaction, in order. A promise holds from the operation
/// of the disk at which the call returned.
struct Promise {
    std::size_t from = 0;
    State state{};
    std::uint8_t digest = 0;
    bool gone = false;  // released
};
struct History {
    std::vector<Promise> made;
    std::optional<std::size_t> asked;  // begin() was called here
    std::uint8_t certified = 0;        // rounds in which its key got a holder
    bool revoked = false;              // it revoked a certificate
};

constexpr WallTime kUntil{std::chrono::seconds{2'000'000'000}};

/// Of the key of a device, in the round that is answered with this digest.
policy::KeyHolder holder_in(unsigned number, std::uint8_t digest) {
    policy::KeyHolder made = holder(number);
    made.subject[0] = digest;
    return made;
}

store::SqliteSettings settings_of(const RamVfs& disk) {
    store::SqliteSettings settings;
    settings.journal.path = "store.db";
    settings.journal.vfs = disk.name();
    settings.journal.guarded = false;
    settings.journal.boot_id = "boot";
    settings.journal.fence = 900s;
    settings.journal.checkpoint_pages = 60;  // several within the workload
    settings.memory.shards = 1;
    return settings;
}
Secret key_of_store() { return Secret{Bytes(crypto::Sealer::kKeyOctets, 1)}; }

/// Devices in one thread: what the store's thread does happens when it is pumped, so that the same
/// seed gives the same operations.
class Workload {
public:
    explicit Workload(std::uint64_t seed) : random_{seed} {
        disk_.record(true);
        store_.emplace(settings_of(disk_), key_of_store(), clock_, random_);
        histories_.resize(kTransactions);
        boost::asio::io_context io;
        std::exception_ptr failed;
        unsigned next = 0;
        unsigned running = 0;
        while (next < kTransactions || running != 0) {
            while (next < kTransactions && running < 1 + random_.below(8)) {
                ++running;
                boost::asio::co_spawn(io, device(next++), [&](std::exception_ptr fault) {
                    if (fault) failed = fault;
                    --running;
                });
            }
            io.restart();
            io.poll();
            if (failed) std::rethrow_exception(failed);
            store_->pump();
            clock_.pass(50ms);
        }
        disk_.record(false);
    }
    std::vector<RamVfs::Operation> operations() { return disk_.operations(); }
    const std::vector<History>& histories() const { return histories_; }
    const test::FakeClock& clock() const { return clock_; }

private:
    Record record(State state, std::uint8_t digest, std::size_t answer) {
        Record made;
        made.state = state;
        made.request_type = cmp::BodyType::ir;
        made.request_digest.fill(digest);
        made.upstream = "ca";
        made.expires = clock_.boot_now() + 300s;
        made.remember_until = clock_.boot_now() + 900s;
        if (answer != 0) made.answer = octets(answer, digest);
        return made;
    }
    void promise(unsigned number, State state, std::uint8_t digest, bool gone = false) {
        histories_[number].made.push_back({disk_.recorded(), state, digest, gone});
    }
    asio::awaitable<void> device(unsigned number) {
        const TransactionKey k = key(number % 7, number);
        Record intent = record(State::in_flight, 1, 0);
        intent.request = octets(200 + random_.below(3000));
        histories_[number].asked = disk_.recorded();
        auto begun = co_await store_->begin(k, std::move(intent));
        auto version = std::get<Begun>(begun).version;
        promise(number, State::in_flight, 1);
        if (random_.chance(10)) {
            co_await store_->release(k, version);
            promise(number, State::finished, 0, true);
            co_return;
        }
        if (random_.chance(10)) {
            Record lost = record(State::outcome_unknown, 1, 0);
            lost.in_doubt = "no-answer";
            co_await store_->advance(k, version, std::move(lost));
            promise(number, State::outcome_unknown, 1);
            co_return;
        }
        const std::size_t rounds = random_.below(3);
        for (std::size_t i = 0; i < rounds; ++i) {
            const auto digest = static_cast<std::uint8_t>(2 + i);
            // As a gateway does: the key's holder, then the answer.
            const auto known = co_await store_->inventory().find_key(key_named(number));
            const bool put = co_await store_->inventory().put_key(
                key_named(number), known ? known->version : 0, holder_in(number, digest));
            CHECK(put);
            histories_[number].certified = digest;
            auto next = co_await store_->advance(
                k, version, record(State::expects_certconf, digest, 300 + random_.below(2500)));
            version = std::get<Advanced>(next).version;
            promise(number, State::expects_certconf, digest);
        }
        if (random_.chance(20)) co_return;  // stays open
        if (random_.chance(30)) {
            co_await store_->inventory().add_revoked(transaction_id(1, 30),
                                                     transaction_id(number, 8), kUntil);
            histories_[number].revoked = true;
        }
        co_await store_->advance(k, version, record(State::finished, 9, 100));
        promise(number, State::finished, 9);
    }

    SeededRandom random_;
    RamVfs disk_;
    test::FakeClock clock_;
    std::optional<store::Sqlite> store_;
    std::vector<History> histories_;
};

/// What is wrong after recovery; empty: nothing.
std::string judge(store::Sqlite& store, const std::vector<History>& histories, std::size_t at) {
    std::size_t doubtful = 0;
    for (unsigned number = 0; number < histories.size(); ++number) {
        const History& history = histories[number];
        const std::string who = "transaction " + std::to_string(number) + ": ";
        const auto found = test::run(store.find(key(number % 7, number)));
        // The last state promised, and the one being written when the power failed.
        const Promise* held = nullptr;
        const Promise* next = nullptr;
        for (const Promise& promise : history.made) {
            if (promise.from <= at) {
                held = &promise;
            } else if (next == nullptr) {
                next = &promise;
            }
        }
        const bool asked = history.asked && *history.asked <= at;
        if (!asked) {
            if (found) return who + "there before it was begun";
            continue;
        }
        const auto is = [&](const Promise* promise) {
            if (promise == nullptr) return false;
            if (promise->gone) return !found.has_value();
            if (!found || found->record.request_digest[0] != promise->digest) return false;
            const State state =
                promise->state == State::in_flight ? State::outcome_unknown : promise->state;
            if (found->record.state != state) return false;
            const bool answered = state == State::expects_certconf || state == State::finished;
            if (answered != (found->record.answer != nullptr)) return false;
            return !answered || found->record.answer->front() == promise->digest;
        };
        const bool never = held == nullptr && !found;
        if (!never && !is(held) && !is(next)) {
            return who + (found ? "another state than promised, " +
                                      std::to_string(static_cast<int>(found->record.state))
                                : std::string("forgotten"));
        }
        if (found && found->record.state == State::outcome_unknown) ++doubtful;

        // Who has its answer holds its key; who was told of a revocation can rely on it (S-14).
        const auto entry = test::run(store.inventory().find_key(key_named(number)));
        if (entry && (entry->holder.principals != holder(number).principals ||
                      entry->holder.until != holder(number).until))
            return who + "its key is another's";
        const std::uint8_t answered = held == nullptr                          ? 0
                                      : held->state == State::expects_certconf ? held->digest
                                      : held->state == State::finished && !held->gone
                                          ? history.certified
                                          : 0;
        if (answered != 0 && (!entry || entry->holder.subject[0] < answered))
            return who + "answered, and its key is nobody's";
        const bool told = held != nullptr && held->state == State::finished && !held->gone;
        if (told && history.revoked &&
            !store.inventory().is_revoked(transaction_id(1, 30), transaction_id(number, 8)))
            return who + "revoked, and forgotten";
    }
    const std::size_t listed = store.sizes().orphans;
    if (listed != doubtful) {
        return std::to_string(doubtful) + " in doubt, " + std::to_string(listed) + " in the ledger";
    }
    return {};
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define RA_TEST_SLOW_BUILD
#endif
#endif
#ifdef RA_TEST_SLOW_BUILD
constexpr std::size_t kEvery = 7;  // one point in so many; the sanitizers look for other faults
#else
constexpr std::size_t kEvery = 1;
#endif

TEST_SUITE("ra/store") {
    TEST_CASE("S-04: power fails at every write and sync, and nothing promised is lost") {
        Workload workload{20261};
        CrashImages images{workload.operations()};
        REQUIRE(images.at() == 0);
        SeededRandom torn{3};
        RamVfs disk;
        std::size_t points = 0;
        std::size_t alarms = 0;
        const auto recover = [&](CrashImages::Unsynced unsynced) {
            disk.put(images.image(unsynced, torn));
            test::FakeClock clock;
            clock.pass(1s);
            SeededRandom random{points};
            store::SqliteSettings settings = settings_of(disk);
            settings.journal.alarm = [&](const std::string&) { ++alarms; };
            store::Sqlite store{std::move(settings), key_of_store(), clock, random};
            ++points;
            return judge(store, workload.histories(), images.at());
        };
        do {
            if (images.at() % kEvery != 0) continue;
            for (const auto unsynced : {CrashImages::Unsynced::dropped, CrashImages::Unsynced::kept,
                                        CrashImages::Unsynced::torn}) {
                const std::string wrong = recover(unsynced);
                CAPTURE(images.at());
                CAPTURE(static_cast<int>(unsynced));
                REQUIRE(wrong == "");
            }
        } while (images.advance());
        CHECK(alarms == 0);
        CHECK(points > 3000 / kEvery);
        MESSAGE("crash points recovered from: " << points << ", of " << images.at()
                                                << " operations");
    }

    TEST_CASE("S-04: power fails while recovering, and while the database is made") {
        Workload workload{7};
        CrashImages first{workload.operations()};
        while (first.at() < workload.operations().size() * 2 / 3) first.advance();
        SeededRandom torn{5};
        const RamVfs::Files left = first.image(CrashImages::Unsynced::torn, torn);

        RamVfs disk;
        disk.put(left);
        disk.record(true);
        test::FakeClock clock;
        SeededRandom random{1};
        {
            store::Sqlite store{settings_of(disk), key_of_store(), clock, random};
            CHECK(store.in_doubt() > 0);
        }
        disk.record(false);
        // Of the second failure everything before was durable: it was synced, or read again.
        std::vector<RamVfs::Operation> operations;
        for (const auto& [name, content] : left) {
            operations.push_back({RamVfs::Operation::Kind::write, name, 0, content, false});
            operations.push_back({RamVfs::Operation::Kind::sync, name, 0, {}, false});
        }
        const std::size_t before = operations.size();
        const auto during = disk.operations();
        operations.insert(operations.end(), during.begin(), during.end());
        CrashImages second{std::move(operations)};
        std::size_t points = 0;
        while (second.advance()) {
            if (second.at() < before) continue;
            RamVfs again;
            again.put(second.image(CrashImages::Unsynced::torn, torn));
            store::Sqlite store{settings_of(again), key_of_store(), clock, random};
            CAPTURE(second.at());
            REQUIRE(judge(store, workload.histories(), first.at()) == "");
            ++points;
        }
        CHECK(points > 10);
    }

    TEST_CASE("the recorded workload is the same each time") {
        const auto once = Workload{11}.operations();
        const auto again = Workload{11}.operations();
        REQUIRE(once.size() == again.size());
        for (std::size_t i = 0; i < once.size(); ++i) {
            CHECK(once[i].kind == again[i].kind);
            CHECK(once[i].at == again[i].at);
        }
    }
}

}  // namespace
