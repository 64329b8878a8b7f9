#include "transports/common/worker.h"

#include <doctest/doctest.h>

#include <boost/asio/this_coro.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "transports/common/wakeup.h"
#include "transports/common/workers.h"

using ra::BootClock;
using transports::common::Wakeup;
using transports::common::Worker;
using transports::common::Workers;
using namespace std::chrono_literals;
namespace asio = boost::asio;

TEST_SUITE_BEGIN("transports/common");

TEST_CASE("Worker: timers fire in time, once, and not when cancelled") {
    Worker worker{{}};
    std::vector<int> order;
    const auto begin = BootClock::now();
    std::chrono::nanoseconds late{};
    worker.schedule(begin + 120ms, [&] {
        order.push_back(2);
        late = BootClock::now() - begin - 120ms;
        worker.stop();
    });
    worker.schedule(begin + 20ms, [&] { order.push_back(1); });
    const auto cancelled = worker.schedule(begin + 30ms, [&] { order.push_back(3); });
    worker.cancel(cancelled);
    CHECK(order.empty());
    worker.run();
    CHECK(order == std::vector<int>{1, 2});
    CHECK(late >= 0ms);
    CHECK(late <= 500ms);  // 50 ms but for a busy machine
    worker.cancel(cancelled);
}

TEST_CASE("Worker: what throws is logged and the worker goes on") {
    std::vector<std::string> log;
    Worker worker{[&](std::string_view where, const std::exception_ptr& fault) {
        try {
            std::rethrow_exception(fault);
        } catch (const std::exception& e) {
            log.push_back(std::string{where} + ": " + e.what());
        }
    }};
    worker.schedule(BootClock::now(), [] { throw std::runtime_error{"a"}; });
    worker.tasks().spawn("task", []() -> asio::awaitable<void> {
        co_await asio::this_coro::executor;
        throw std::runtime_error{"b"};
    }());
    worker.post([] { throw std::runtime_error{"c"}; });
    worker.schedule(BootClock::now() + 100ms, [&] { worker.stop(); });
    worker.run();
    std::sort(log.begin(), log.end());
    CHECK(log == std::vector<std::string>{"task: b", "timer: a", "worker: c"});
    CHECK(worker.tasks().size() == 0);
}

TEST_CASE("Wakeup: notified before, during, never") {
    Worker worker{{}};
    Wakeup wakeup{worker};
    std::string seen;
    // NOLINTNEXTLINE(cppcoreguidelines-avoid-capturing-lambda-coroutines): run to its end below.
    const auto wait = [&](std::chrono::milliseconds time) -> asio::awaitable<void> {
        const bool notified = co_await wakeup.wait(BootClock::now() + time);
        seen += notified ? 'n' : 't';
    };
    // NOLINTNEXTLINE(cppcoreguidelines-avoid-capturing-lambda-coroutines): run to its end below.
    const auto all = [&]() -> asio::awaitable<void> {
        wakeup.notify();
        co_await wait(1h);
        worker.schedule(BootClock::now(), [&] { wakeup.notify(); });
        co_await wait(1h);
        co_await wait(10ms);
        worker.stop();
    };
    worker.tasks().spawn("waits", all());
    worker.run();
    CHECK(seen == "nnt");
}

TEST_CASE("Workers: drain waits for tasks, then cancels them") {
    Workers workers{2, {}};
    workers.start();
    std::atomic<bool> ended{false};
    workers[0].post([&] {
        workers[0].tasks().spawn(
            "brief", [](Worker& worker, std::atomic<bool>& flag) -> asio::awaitable<void> {
                Wakeup pause{worker};
                (void)co_await pause.wait(BootClock::now() + 50ms);
                flag = true;
            }(workers[0], ended));
    });
    CHECK(workers.drain(BootClock::now() + 3s));
    CHECK(ended);
}

TEST_CASE("Workers: a task that never ends is destroyed with its worker") {
    struct Mark {
        std::atomic<int>& count;
        explicit Mark(std::atomic<int>& of) : count{of} { ++count; }
        ~Mark() { --count; }
    };
    std::atomic<int> alive{0};
    {
        Workers workers{1, {}};
        workers.start();
        workers[0].post([&] {
            workers[0].tasks().spawn(
                "endless", [](Worker& worker, std::atomic<int>& count) -> asio::awaitable<void> {
                    const Mark mark{count};
                    Wakeup pause{worker};
                    (void)co_await pause.wait(BootClock::now() + 1h);
                }(workers[0], alive));
        });
        CHECK_FALSE(workers.drain(BootClock::now() + 20ms));
    }
    CHECK(alive == 0);
}

TEST_SUITE_END();
