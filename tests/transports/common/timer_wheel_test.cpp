#include "transports/common/timer_wheel.h"

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <random>
#include <vector>

using ra::BootTime;
using transports::common::TimerNode;
using transports::common::TimerWheel;
using namespace std::chrono_literals;

TEST_SUITE_BEGIN("transports/common");

namespace {

struct Node final : TimerNode {
    explicit Node(std::function<void()> run = {}) : fire{std::move(run)} {}
    void expired() noexcept override {
        ++fired;
        if (fire) fire();
    }
    std::function<void()> fire;
    int fired = 0;
};

BootTime at(std::chrono::milliseconds since_boot) { return BootTime{since_boot}; }

}  // namespace

TEST_CASE("TimerWheel: never early, at most a tick late, each once") {
    std::mt19937 random{1};
    std::uniform_int_distribution<int> when{1, 60'000};
    TimerWheel wheel;
    std::vector<std::unique_ptr<Node>> nodes;
    std::vector<std::chrono::milliseconds> due;
    for (int i = 0; i < 500; ++i) {
        nodes.push_back(std::make_unique<Node>());
        due.emplace_back(when(random));
        wheel.arm(*nodes.back(), at(due.back()));
    }
    int early = 0;
    int late = 0;
    for (auto now = 0ms; now <= 60'100ms; now += 7ms) {
        wheel.advance(at(now));
        for (std::size_t i = 0; i < nodes.size(); ++i) {
            const bool may = now >= due[i];
            const bool must = now >= due[i] + TimerWheel::kTick + 7ms;
            if (nodes[i]->fired > (may ? 1 : 0)) ++early;
            if (nodes[i]->fired < (must ? 1 : 0)) ++late;
        }
    }
    CHECK(early == 0);
    CHECK(late == 0);
    CHECK_FALSE(wheel.next().has_value());
}

TEST_CASE("TimerWheel: next() is never later than the first node") {
    TimerWheel wheel;
    Node node;
    for (const auto due : {1ms, 31ms, 32ms, 1'000ms, 16'384ms, 100'000ms}) {
        wheel.arm(node, at(due));
        const auto next = wheel.next();
        REQUIRE(next.has_value());
        CHECK(*next <= at(due) + TimerWheel::kTick);
    }
}

TEST_CASE("TimerWheel: re-armed, disarmed, destroyed") {
    TimerWheel wheel;
    Node moved;
    Node stopped;
    {
        Node gone;
        wheel.arm(gone, at(100ms));
    }
    wheel.arm(moved, at(100ms));
    wheel.arm(moved, at(500ms));
    wheel.arm(stopped, at(100ms));
    TimerWheel::disarm(stopped);
    wheel.advance(at(400ms));
    CHECK(moved.fired == 0);
    wheel.advance(at(532ms));
    CHECK(moved.fired == 1);
    CHECK(stopped.fired == 0);
    wheel.arm(moved, at(1ms));  // gone by already
    CHECK(moved.fired == 1);
    wheel.advance(at(600ms));
    CHECK(moved.fired == 2);
}

TEST_CASE("TimerWheel: a callback destroys its neighbour and arms itself") {
    TimerWheel wheel;
    auto second = std::make_unique<Node>();
    Node* self = nullptr;
    Node first{[&] {
        second.reset();
        if (self->fired < 3) wheel.arm(*self, at(0ms));
    }};
    self = &first;
    wheel.arm(first, at(50ms));
    wheel.arm(*second, at(50ms));
    for (auto now = 0ms; now < 1000ms; now += 32ms) wheel.advance(at(now));
    CHECK(first.fired == 3);
}

TEST_SUITE_END();
