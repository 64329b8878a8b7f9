#include "ra/gateway/kdf_lane.h"

#include <doctest/doctest.h>

#include <boost/asio/async_result.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <string>
#include <vector>

#include "ra/gateway/guesses.h"
#include "ra/gateway/mac_keys.h"
#include "tests/support/fake_clock.h"
#include "tests/support/seeded_random.h"

using namespace ra;
using namespace ra::gateway;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

/// Work ends when the test says so, in order.
struct ManualPool final : CpuPool {
    asio::awaitable<bool> run(std::function<void()> work) override {
        if (full) co_return false;
        const auto executor = co_await asio::this_coro::executor;
        co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(bool)>(
            [this, executor, &work](auto handler) {
                auto shared = std::make_shared<decltype(handler)>(std::move(handler));
                jobs.push_back([work = std::move(work), shared, executor] {
                    work();
                    asio::post(executor, [shared] { std::move (*shared)(true); });
                });
            },
            asio::use_awaitable);
    }
    std::deque<std::function<void()>> jobs;
    bool full = false;
};

struct ManualTimers final : Timers {
    Id schedule(BootTime, std::function<void()> fire) override {
        pending[++last] = std::move(fire);
        return last;
    }
    void cancel(Id id) noexcept override { pending.erase(id); }
    void fire_all() {
        auto due = std::move(pending);
        pending.clear();
        for (auto& [id, fire] : due) fire();
    }
    std::map<Id, std::function<void()>> pending;
    Id last = 0;
};

struct Lane {
    asio::io_context io;
    ManualPool pool;
    ManualTimers timers;
    KdfLane lane;
    std::string done;  // sources, in order of their work
    std::vector<std::string> turned_away;

    explicit Lane(KdfLimits limits = {}) : lane{pool, timers, limits} {}
    void ask(const std::string& source) {
        asio::co_spawn(
            io,
            // co_spawn keeps it.
            // NOLINTNEXTLINE(cppcoreguidelines-avoid-capturing-lambda-coroutines)
            [this, source]() -> asio::awaitable<void> {
                const bool ran = co_await lane.run(to_bytes(as_bytes(source)), {},
                                                   [this, source] { done += source; });
                if (!ran) turned_away.push_back(source);
            },
            [](std::exception_ptr fault) {
                if (fault) std::rethrow_exception(fault);
            });
        settle();
    }
    void settle() {
        io.restart();
        io.poll();
    }
    /// Lets the work under way end, one after another.
    void work() {
        while (!pool.jobs.empty()) {
            CHECK(pool.jobs.size() == 1);  // one at a time
            auto job = std::move(pool.jobs.front());
            pool.jobs.pop_front();
            job();
            settle();
        }
    }
};

VerifiedMacPtr mac_of(std::uint8_t salt) {
    crypto::MacParameters parameters;
    parameters.salt = Bytes(16, salt);
    parameters.iterations = 100;
    auto key = crypto::MacKey::derive(parameters, as_bytes("secret")).value();
    return std::make_shared<const VerifiedMac>(
        VerifiedMac{parameters, Bytes(20, salt), std::move(key), Bytes(4, 1), Secret{Bytes(6, 1)}});
}

}  // namespace

TEST_SUITE("ra/gateway") {
    TEST_CASE("S-34: sources take turns at slow derivations") {
        Lane lane;
        for (int i = 0; i < 6; ++i) lane.ask("x");
        lane.ask("y");
        lane.ask("z");
        lane.ask("y");
        lane.work();
        CHECK(lane.done == "xxyzxyxxx");  // not xxxxxxyzy
        CHECK(lane.turned_away.empty());
        CHECK(lane.lane.waiting() == 0);
        lane.ask("x");
        lane.work();
        CHECK(lane.done.size() == 10);
    }

    TEST_CASE("S-34: what waits is bounded, of each source and of all") {
        KdfLimits limits;
        limits.waiting = 3;
        limits.waiting_per_source = 2;
        Lane lane{limits};
        for (int i = 0; i < 4; ++i) lane.ask("x");  // one runs, two wait
        CHECK(lane.turned_away == std::vector<std::string>{"x"});
        lane.ask("y");
        lane.ask("z");
        CHECK(lane.turned_away == std::vector<std::string>{"x", "z"});
        lane.work();
        CHECK(lane.done == "xxyx");

        lane.pool.full = true;
        lane.ask("x");
        CHECK(lane.turned_away.size() == 3);
        lane.pool.full = false;
        lane.ask("x");
        lane.work();
        CHECK(lane.done == "xxyxx");
    }

    TEST_CASE("a derivation whose deadline comes first leaves the lane to others") {
        Lane lane;
        lane.ask("x");
        lane.ask("y");
        lane.ask("z");
        CHECK(lane.timers.pending.size() == 2);
        lane.timers.fire_all();
        lane.settle();
        CHECK(lane.turned_away == std::vector<std::string>{"y", "z"});
        CHECK(lane.lane.waiting() == 0);
        lane.ask("y");
        // Its turn comes in the same moment as its deadline: the next one has it.
        lane.ask("z");
        auto job = std::move(lane.pool.jobs.front());
        lane.pool.jobs.pop_front();
        job();
        lane.io.restart();
        lane.io.poll_one();  // x has ended and handed on; y has not resumed yet
        const auto first = lane.timers.pending.begin();
        auto fire = std::move(first->second);
        lane.timers.pending.erase(first);
        fire();
        lane.settle();
        lane.work();
        CHECK(lane.done == "xz");
        CHECK(lane.turned_away == std::vector<std::string>{"y", "z", "y"});
        lane.ask("x");
        lane.work();
        CHECK(lane.done == "xzx");
    }

    TEST_CASE("derived keys: one a transaction, for its own parameters, bounded and timed") {
        test::FakeClock clock;
        MacKeys keys{clock, 3};
        const SecretUse secret{{}, 1};
        const SecretUse next_generation{{}, 2};
        const Bytes a(16, 1), b(16, 2);
        keys.keep(secret, a, mac_of(1), clock.boot_now() + 10s);
        CHECK(keys.find(secret, a, Bytes(20, 1)) != nullptr);
        CHECK(keys.find(secret, a, Bytes(20, 2)) == nullptr);
        CHECK(keys.find(secret, b, Bytes(20, 1)) == nullptr);
        CHECK(keys.find(next_generation, a, Bytes(20, 1)) == nullptr);
        keys.keep(secret, a, mac_of(2), clock.boot_now() + 10s);
        CHECK(keys.size() == 1);
        CHECK(keys.find(secret, a, Bytes(20, 1)) == nullptr);
        CHECK(keys.find(secret, a, Bytes(20, 2)) != nullptr);
        clock.pass(10s);
        CHECK(keys.find(secret, a, Bytes(20, 2)) == nullptr);
        keys.drop(secret, a);
        CHECK(keys.size() == 0);
        for (std::uint8_t i = 0; i < 100; ++i)
            keys.keep(secret, Bytes(16, i), mac_of(i), clock.boot_now() + 10s);
        CHECK(keys.size() == 3);
        CHECK(keys.find(secret, Bytes(16, 99), Bytes(20, 99)) != nullptr);
        CHECK(keys.find(secret, Bytes(16, 96), Bytes(20, 96)) == nullptr);
    }

    TEST_CASE("S-22: source prefixes") {
        CHECK(source_prefix("192.0.2.7") == Bytes{4, 192, 0, 2});
        CHECK(source_prefix("::ffff:192.0.2.99") == Bytes{4, 192, 0, 2});
        CHECK(source_prefix("2001:db8:1:2::7") == Bytes{6, 0x20, 1, 0x0d, 0xb8, 0, 1, 0});
        CHECK(source_prefix("2001:db8:1:ff::1") == source_prefix("2001:db8:1:2::7"));
        CHECK(source_prefix("2001:db8:1:100::1") != source_prefix("2001:db8:1:2::7"));
        CHECK(source_prefix("").empty());
        CHECK(source_prefix("not an address").empty());
    }

    TEST_CASE("S-22: a spray of references pushes out only its own failures") {
        test::SeededRandom random{11};
        Guesses::Settings settings;
        settings.sets = 64;
        Guesses guesses{random, settings};
        const BootTime now{1h};
        for (int i = 0; i < 10; ++i) guesses.failed(as_bytes("device"), "192.0.2.1", now);
        CHECK(guesses.delayed(as_bytes("device"), "192.0.2.1", now));
        CHECK_FALSE(guesses.delayed(as_bytes("device"), "198.51.100.1", now));
        for (int i = 0; i < 1000; ++i) {
            const std::string name = "spray-" + std::to_string(i);
            guesses.failed(as_bytes(name), "192.0.2.1", now);
        }
        // The one with the most failures stays; and no other source is slowed.
        CHECK(guesses.delayed(as_bytes("device"), "192.0.2.1", now));
        CHECK_FALSE(guesses.delayed(as_bytes("spray-999"), "203.0.113.1", now));
        CHECK_FALSE(guesses.delayed(as_bytes("device"), "192.0.2.1", now + 901s));
        guesses.failed(as_bytes("device"), "192.0.2.1", now + 902s);
        CHECK_FALSE(guesses.delayed(as_bytes("device"), "192.0.2.1", now + 902s));
    }
}
