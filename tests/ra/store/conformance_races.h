#pragma once

#include <atomic>
#include <thread>

#include "tests/ra/store/conformance.h"

/// Several workers at one store. Run under TSan too.
namespace test::store {

inline constexpr unsigned kThreads = 4;

/// Runs `work(thread)` on several threads at once.
template <class Work>
void race(Work work) {
    std::atomic<unsigned> ready{0};
    std::vector<std::thread> threads;
    for (unsigned number = 0; number < kThreads; ++number) {
        threads.emplace_back([&ready, &work, number] {
            ++ready;
            while (ready < kThreads) std::this_thread::yield();
            work(number);
        });
    }
    for (std::thread& thread : threads) thread.join();
}

TEST_CASE_TEMPLATE_DEFINE("S-02: of many who begin the same, one wins", Harness, store_race_begin) {
    constexpr unsigned kRounds = 200;
    Bounds bounds;
    bounds.open_per_principal = kRounds;
    bounds.remembered_per_principal = kRounds;
    Subject<Harness> s{bounds};
    std::atomic<unsigned> begun{0}, existed{0};
    race([&](unsigned) {
        for (unsigned i = 0; i < kRounds; ++i) {
            const auto result = s.begin(key(1, i));
            if (std::holds_alternative<Begun>(result)) ++begun;
            if (std::holds_alternative<Exists>(result)) ++existed;
        }
    });
    CHECK(begun == kRounds);
    CHECK(existed == kRounds * (kThreads - 1));
    CHECK(s.store().sizes().open == kRounds);
}

TEST_CASE_TEMPLATE_DEFINE("S-03: of many principals with one transactionID, one wins", Harness,
                          store_race_claim) {
    constexpr unsigned kRounds = 200;
    Subject<Harness> s;
    std::atomic<unsigned> begun{0}, in_use{0};
    race([&](unsigned thread) {
        for (unsigned i = 0; i < kRounds; ++i) {
            const auto result = s.begin(key(thread * 1000 + i, i));
            if (std::holds_alternative<Begun>(result)) ++begun;
            if (std::holds_alternative<IdInUse>(result)) ++in_use;
        }
    });
    CHECK(begun == kRounds);
    CHECK(in_use == kRounds * (kThreads - 1));
}

TEST_CASE_TEMPLATE_DEFINE("S-01: of many who advance one version, one wins", Harness,
                          store_race_advance) {
    constexpr unsigned kRounds = 200;
    Subject<Harness> s;
    const auto first = s.begun(key(1, 1));
    std::atomic<unsigned> won{0}, lost{0};
    std::atomic<std::uint64_t> version{first};
    race([&](unsigned) {
        while (won < kRounds) {
            const auto read = version.load();
            const auto next = s.advance(key(1, 1), read, s.record(State::expects_poll));
            if (next.has_value()) {
                ++won;
                version = *next;
            } else {
                ++lost;
            }
        }
    });
    CHECK(won >= kRounds);
    CHECK(won < kRounds + kThreads);
    CHECK(s.find(key(1, 1))->version == version);
}

TEST_CASE_TEMPLATE_DEFINE("no bound is passed, and nothing leaks, in a crowd", Harness,
                          store_race_bounds) {
    constexpr unsigned kRounds = 300;
    Bounds bounds;
    bounds.open = 20;
    bounds.open_per_principal = 3;
    bounds.kept_octets = 5000;
    Subject<Harness> s{bounds};
    std::atomic<std::size_t> most{0};
    race([&](unsigned thread) {
        for (unsigned i = 0; i < kRounds; ++i) {
            const TransactionKey k = key(i % 8, thread * 100'000 + i);
            const auto result = s.begin(k);
            const std::size_t open = s.store().sizes().open;
            if (open > most) most = open;
            if (const auto* begun = std::get_if<Begun>(&result)) {
                if (i % 3 == 0) {
                    s.release(k, begun->version);
                } else {
                    s.advance(k, begun->version, s.finished(700));
                }
            }
        }
    });
    // A count may be ahead by one per thread that is being refused.
    CHECK(most <= bounds.open + kThreads);
    CHECK(s.store().sizes().open == 0);
    CHECK(s.store().sizes().kept_octets <= bounds.kept_octets);
    s.pass(seconds{1000});
    CHECK(s.is_empty());
}

TEST_CASE_TEMPLATE_DEFINE("S-02: nobody who waits is forgotten", Harness, store_race_watch) {
    constexpr unsigned kRounds = 200;
    Bounds bounds;
    bounds.open_per_principal = kRounds;
    bounds.remembered_per_principal = kRounds;
    Subject<Harness> s{bounds};
    std::vector<std::uint64_t> versions;
    for (unsigned i = 0; i < kRounds; ++i) versions.push_back(s.begun(key(1, i)));
    std::atomic<unsigned> armed{0}, called{0}, unwatched{0};
    race([&](unsigned thread) {
        for (unsigned i = 0; i < kRounds; ++i) {
            if (thread == 0) {
                s.advance(key(1, i), versions[i], s.finished(0));
                continue;
            }
            const auto id = s.store().watch(key(1, i), versions[i], [&called] { ++called; });
            if (id == 0) continue;  // already changed
            ++armed;
            if (thread == 1 && i % 2 == 0) {
                s.store().unwatch(key(1, i), id);
                ++unwatched;
            }
        }
    });
    CHECK(called <= armed);
    CHECK(called + unwatched >= armed);
    CHECK(s.store().sizes().watches == 0);
}

}  // namespace test::store

#define CMPGATE_STORE_RACES(...)                                \
    TEST_CASE_TEMPLATE_INVOKE(store_race_begin, __VA_ARGS__);   \
    TEST_CASE_TEMPLATE_INVOKE(store_race_claim, __VA_ARGS__);   \
    TEST_CASE_TEMPLATE_INVOKE(store_race_advance, __VA_ARGS__); \
    TEST_CASE_TEMPLATE_INVOKE(store_race_bounds, __VA_ARGS__);  \
    TEST_CASE_TEMPLATE_INVOKE(store_race_watch, __VA_ARGS__)
