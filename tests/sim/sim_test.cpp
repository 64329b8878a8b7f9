#include <doctest/doctest.h>

#include <cstdlib>
#include <memory>

#include "tests/sim/device.h"

using namespace test::sim;

namespace {

#if defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
constexpr std::uint64_t kSeeds = 300;
#else
constexpr std::uint64_t kSeeds = 2000;
#endif
#else
constexpr std::uint64_t kSeeds = 2000;
#endif

struct Totals {
    std::size_t messages = 0, issued = 0, confirmed = 0, enrolled = 0, repeated = 0;
};

/// One seed: a few devices, an attacker, whatever goes wrong. The reason if a rule was broken.
std::string run_seed(std::uint64_t seed, bool trace, Totals& totals) {
    World world{seed, trace};
    std::vector<std::unique_ptr<Device>> devices;
    const std::size_t count = 2 + world.kernel.random().below(3);
    for (std::size_t i = 0; i < count; ++i) {
        const auto way = static_cast<Way>(world.kernel.random().below(kWays));
        devices.push_back(std::make_unique<Device>(world, i, way));
        world.kernel.spawn(devices.back()->live(3));
    }
    world.kernel.spawn(attack(world, 20));
    try {
        world.run();
    } catch (const std::exception& broken) {
        world.say(std::string{"broken: "} + broken.what());
        return broken.what();
    }
    totals.messages += world.calls();
    totals.issued += world.ca.issued();
    totals.repeated += world.repeated;
    totals.confirmed += world.ca.confirmed();
    for (const auto& device : devices) totals.enrolled += device->enrolled();
    return {};
}

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
    const char* text = std::getenv(name);
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

TEST_SUITE("sim") {
    TEST_CASE(
        "S-02, S-03, S-04: devices, attackers and a bad world; CMPGATE_SIM_SEED replays one") {
        Totals totals;
        if (std::getenv("CMPGATE_SIM_SEED") != nullptr) {
            const std::uint64_t seed = from_environment("CMPGATE_SIM_SEED", 0);
            CHECK(run_seed(seed, true, totals) == "");
            return;
        }
        const std::uint64_t seeds = from_environment("CMPGATE_SIM_SEEDS", kSeeds);
        unsigned failed = 0;
        for (std::uint64_t seed = 1; seed <= seeds && failed < 5; ++seed) {
            const std::string broken = run_seed(seed, false, totals);
            if (broken.empty()) continue;
            ++failed;
            FAIL_CHECK("seed " << seed << ": " << broken << " (replay: CMPGATE_SIM_SEED=" << seed
                               << ")");
        }
        MESSAGE(seeds << " seeds, " << totals.messages << " messages, " << totals.issued
                      << " certificates issued, " << totals.confirmed << " confirmed, "
                      << totals.enrolled << " devices enrolled, " << totals.repeated
                      << " answers repeated");
        // A world in which nothing works proves nothing.
        if (failed != 0 || seeds < 100) return;
        CHECK(totals.enrolled > seeds);
        CHECK(totals.repeated > seeds / 4);
    }

    TEST_CASE("a seed replays: the same world twice") {
        Totals first, second;
        CHECK(run_seed(4711, false, first) == run_seed(4711, false, second));
        CHECK(first.messages == second.messages);
        CHECK(first.issued == second.issued);
        CHECK(first.enrolled == second.enrolled);
    }
}

}  // namespace
