#include <fcntl.h>
#include <sys/stat.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <filesystem>

#include "ra/store/guard.h"
#include "tests/ra/store/conformance.h"
#include "tests/ra/store/conformance_inventory.h"
#include "tests/ra/store/conformance_races.h"
#include "tests/ra/store/conformance_secrets.h"
#include "tests/ra/store/sqlite_world.h"

using namespace ra;
using namespace std::chrono_literals;
using namespace test::store;  // the invoked cases must be visible by name

namespace {

using OnDisk = SqliteWorld;

/// A store on a real disk.
class RealWorld {
public:
    RealWorld() {
        std::string pattern = (std::filesystem::temp_directory_path() / "cmpgate-XXXXXX").string();
        directory_ = ::mkdtemp(pattern.data());
    }
    ~RealWorld() {
        stop();
        std::filesystem::remove_all(directory_);
    }
    RealWorld(const RealWorld&) = delete;
    RealWorld& operator=(const RealWorld&) = delete;

    [[nodiscard]] store::SqliteSettings settings() {
        store::SqliteSettings settings;
        settings.journal.path = path();
        settings.journal.boot_id = "boot";
        settings.journal.fence = 900s;
        settings.journal.alarm = [this](const std::string& what) { alarms.push_back(what); };
        return settings;
    }
    store::Sqlite& start() {
        store_ = std::make_unique<store::Sqlite>(settings(), store_key(), clock, random_);
        thread_ = std::thread{[this] { store_->run(); }};
        return *store_;
    }
    void stop() {
        if (!store_) return;
        store_->stop();
        thread_.join();
        store_.reset();
    }
    [[nodiscard]] std::string path() const { return (directory_ / "store.db").string(); }
    /// What a backup of the database holds, and putting it back.
    void back_up() {
        std::filesystem::copy_file(path(), path() + ".backup",
                                   std::filesystem::copy_options::overwrite_existing);
    }
    void restore() {
        std::filesystem::remove(path() + "-wal");
        std::filesystem::remove(path() + "-shm");
        std::filesystem::copy_file(path() + ".backup", path(),
                                   std::filesystem::copy_options::overwrite_existing);
    }
    gateway::Record record(State state) {
        gateway::Record record;
        record.state = state;
        record.expires = clock.boot_now() + 300s;
        record.remember_until = clock.boot_now() + 900s;
        return record;
    }
    void finish(store::Sqlite& store, const TransactionKey& k) {
        const auto begun = test::run(store.begin(k, record(State::in_flight)));
        REQUIRE(std::holds_alternative<Begun>(begun));
        const auto version = std::get<Begun>(begun).version;
        REQUIRE(std::holds_alternative<Advanced>(
            test::run(store.advance(k, version, record(State::finished)))));
    }

    test::FakeClock clock;
    std::vector<std::string> alarms;

private:
    std::filesystem::path directory_;
    test::SeededRandom random_{5};
    std::unique_ptr<store::Sqlite> store_;
    std::thread thread_;
};

mode_t mode_of(const std::string& path) {
    struct stat facts{};
    REQUIRE(::stat(path.c_str(), &facts) == 0);
    return facts.st_mode & 0777U;
}

TEST_SUITE("ra/store") {
    CMPGATE_STORE_CONFORMS(OnDisk);
    CMPGATE_STORE_RACES(OnDisk);
    CMPGATE_STORE_KEEPS_SECRETS(OnDisk);
    CMPGATE_INVENTORY_CONFORMS(OnDisk);

    TEST_CASE("S-24: files of the store are their owner's alone, and wider ones refused") {
        RealWorld world;
        world.finish(world.start(), key(1, 1));
        for (const char* suffix : {"", "-wal", "-shm", ".guard"}) {
            CAPTURE(suffix);
            CHECK(mode_of(world.path() + suffix) == 0600);
        }
        world.stop();
        for (const char* suffix : {"", ".guard"}) {
            CAPTURE(suffix);
            REQUIRE(::chmod((world.path() + suffix).c_str(), 0640) == 0);
            CHECK_THROWS_WITH_AS(world.start(), doctest::Contains("chmod 0600"),
                                 std::runtime_error);
            REQUIRE(::chmod((world.path() + suffix).c_str(), 0600) == 0);
        }
        world.start();
        CHECK(world.alarms.empty());
    }

    TEST_CASE("one process at a time, and the second is told whose it is") {
        RealWorld world;
        world.start();
        test::SeededRandom random{1};
        std::string said;
        try {
            const store::Sqlite second{world.settings(), store_key(), world.clock, random};
        } catch (const std::runtime_error& fault) {
            said = fault.what();
        }
        CHECK(said.find("in use by process " + std::to_string(::getpid())) != std::string::npos);
        // The ledger may be read meanwhile.
        CHECK(store::read_orphans(world.path(), store_key()).empty());
    }

    TEST_CASE("S-24: a restored backup raises the epoch and fences what begins") {
        RealWorld world;
        store::Sqlite& first = world.start();
        world.finish(first, key(1, 1));
        for (const auto& [name, uses] : {std::pair{"one use", std::optional<std::uint32_t>{1}},
                                         std::pair{"any", std::optional<std::uint32_t>{}}}) {
            NewSecret secret;
            secret.reference = to_bytes(as_bytes(name));
            secret.octets = Secret{Bytes(32, 1)};
            secret.uses = uses;
            REQUIRE(test::run(first.add_secret(std::move(secret))) == Secrets::Added::added);
        }
        world.stop();
        world.back_up();
        world.finish(world.start(), key(1, 2));
        world.stop();
        CHECK(world.alarms.empty());

        world.restore();
        store::Sqlite& restored = world.start();
        REQUIRE(world.alarms.size() == 1);
        CHECK(world.alarms[0].find("backup") != std::string::npos);
        CHECK(restored.epoch() == 1);
        // What it does not know any more must not begin again while it could be a replay.
        const auto again = test::run(restored.begin(key(1, 2), world.record(State::in_flight)));
        REQUIRE(std::holds_alternative<Full>(again));
        CHECK(std::get<Full>(again).bound == "replay fence");
        CHECK(test::run(restored.find(key(1, 1))).has_value());
        // Which uses were taken is among what it does not know.
        const Bytes one = to_bytes(as_bytes("one use"));
        const Bytes any = to_bytes(as_bytes("any"));
        CHECK(test::run(restored.find_secret(one))->locked);
        CHECK_FALSE(test::run(restored.find_secret(any))->locked);
        world.stop();
        // The fence outlives a restart, not its window.
        store::Sqlite& later = world.start();
        CHECK(world.alarms.size() == 1);
        CHECK(later.figures().fenced);
        world.clock.pass(901s);
        CHECK_FALSE(later.figures().fenced);
        world.finish(later, key(1, 2));
    }

    TEST_CASE("S-24: a store whose guard file is gone counts as restored") {
        RealWorld world;
        world.finish(world.start(), key(1, 1));
        world.stop();
        std::filesystem::remove(world.path() + ".guard");
        CHECK(world.start().figures().fenced);
        CHECK(world.alarms.size() == 1);
    }

    TEST_CASE("a start that was interrupted before its first write is no restored backup") {
        RealWorld world;
        {
            const store::Guard guard{world.path() + ".guard"};
        }
        CHECK_FALSE(world.start().figures().fenced);
        CHECK(world.alarms.empty());
    }

    TEST_CASE("Sqlite: cost of begin and advance, on a real disk" * doctest::skip()) {
        RealWorld world;
        store::Sqlite& store = world.start();
        const auto answer = octets(1200);
        for (const unsigned at_once : {1U, 16U, 64U, 256U}) {
            constexpr unsigned kEach = 40;
            // io.run() ends before this does.
            // NOLINTNEXTLINE(cppcoreguidelines-avoid-capturing-lambda-coroutines)
            const auto device = [&](unsigned number) -> boost::asio::awaitable<void> {
                for (unsigned i = 0; i < kEach; ++i) {
                    const TransactionKey k = key(number, at_once * 1'000'000 + number * 1000 + i);
                    gateway::Record intent = world.record(State::in_flight);
                    intent.request = octets(700);
                    const auto begun = co_await store.begin(k, intent);
                    gateway::Record next = world.record(State::expects_certconf);
                    next.answer = answer;
                    const auto advanced =
                        co_await store.advance(k, std::get<Begun>(begun).version, next);
                    co_await store.advance(k, std::get<Advanced>(advanced).version,
                                           world.record(State::finished));
                }
            };
            const auto before = store.figures();
            const auto began = std::chrono::steady_clock::now();
            boost::asio::io_context io;
            for (unsigned number = 0; number < at_once; ++number) {
                boost::asio::co_spawn(io, device(number), [](const std::exception_ptr& fault) {
                    if (fault) std::rethrow_exception(fault);
                });
            }
            io.run();
            const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
            const auto after = store.figures();
            const auto commits = after.commits - before.commits;
            MESSAGE(at_once << " at once: " << at_once * kEach / took.count()
                            << " transactions/s (begin, answer, end), "
                            << static_cast<double>(after.changes - before.changes) /
                                   static_cast<double>(commits)
                            << " changes a commit of "
                            << 1e6 * took.count() / static_cast<double>(commits) << " us");
        }
    }

    TEST_CASE("what is no store's file is left alone") {
        RealWorld world;
        const auto write = [](const std::string& path, std::string_view text) {
            const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
            REQUIRE(::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
            ::close(file);
        };
        write(world.path() + ".guard", "something else");
        CHECK_THROWS_WITH_AS(world.start(), doctest::Contains("not what cmpgate wrote"),
                             std::runtime_error);
        std::filesystem::remove(world.path() + ".guard");
        write(world.path(), std::string(5000, 'x'));
        CHECK_THROWS_AS(world.start(), std::runtime_error);
        CHECK(std::filesystem::file_size(world.path()) == 5000);
        std::filesystem::remove(world.path());
        std::filesystem::create_symlink("/dev/null", world.path());
        CHECK_THROWS_AS(world.start(), std::runtime_error);
    }
}

}  // namespace
