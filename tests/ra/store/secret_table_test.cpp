#include "ra/store/secret_table.h"

#include <doctest/doctest.h>

#include <string>

#include "ra/crypto/digest.h"

using namespace ra;
using namespace std::chrono_literals;
using store::SecretTable;

namespace {

constexpr WallTime kNow{std::chrono::seconds{1'800'000'000}};

gateway::NewSecret ends_in(int number, std::optional<std::chrono::seconds> time,
                           std::optional<std::uint32_t> uses = 1) {
    gateway::NewSecret made;
    made.reference = to_bytes(as_bytes("device " + std::to_string(number)));
    made.octets = Secret{to_bytes(as_bytes("the secret of a device"))};
    if (time) made.expires = kNow + *time;
    made.uses = uses;
    return made;
}

gateway::SecretUse use_of(const SecretTable& table, int number) {
    const Bytes reference = to_bytes(as_bytes("device " + std::to_string(number)));
    return {crypto::sha256(reference), table.find(reference)->generation, {}};
}

}  // namespace

TEST_SUITE("ra/store") {
    TEST_CASE("S-44: secrets are counted by what is left of them, good ones by when they end") {
        SecretTable table{100};
        const std::chrono::seconds day = 24h;
        const std::optional<std::chrono::seconds> ends[] = {
            std::nullopt, 1s, day, day + 1s, 7 * day, 30 * day, 30 * day + 1s, 0s, -day,
        };
        int number = 0;
        for (const auto& end : ends) {
            REQUIRE(table.add(ends_in(number++, end)) == gateway::Secrets::Added::added);
        }
        auto figures = table.figures(kNow);
        CHECK(figures.good == 7);
        CHECK(figures.expired == 2);  // it ends at that very second, too
        CHECK(figures.ending == std::array<std::size_t, 3>{2, 4, 5});
        CHECK(figures.next == kNow + 1s);

        // A use that a transaction holds is not there for another one; it may come back.
        const auto use = use_of(table, 1);
        REQUIRE_FALSE(table.reserve(use).has_value());
        CHECK(table.figures(kNow).spent == 1);
        CHECK(table.figures(kNow).next == kNow + day);
        table.settle(use, gateway::SecretUse::Fate::returned);
        CHECK(table.figures(kNow).next == kNow + 1s);
        REQUIRE_FALSE(table.reserve(use).has_value());
        table.settle(use, gateway::SecretUse::Fate::committed);

        REQUIRE(table.lock(as_bytes("device 2"), use_of(table, 2).generation));
        figures = table.figures(kNow);
        CHECK(figures.good == 5);
        CHECK(figures.spent == 1);
        CHECK(figures.locked == 1);
        CHECK(figures.ending == std::array<std::size_t, 3>{0, 2, 3});
        CHECK(figures.next == kNow + day + 1s);
        // Time passes: what was used or locked before does not become "expired" but once.
        figures = table.figures(kNow + 31 * day);
        CHECK(figures.good == 1);
        CHECK(figures.expired == 7);
        CHECK(figures.locked == 1);
        CHECK_FALSE(figures.next.has_value());
    }

    TEST_CASE("S-44: all secrets are counted, however many") {
        SecretTable table{2'000};
        for (int number = 0; number < 1'700; ++number) {
            REQUIRE(table.add(ends_in(number, 1h)) == gateway::Secrets::Added::added);
        }
        const auto figures = table.figures(kNow);
        CHECK(figures.good == 1'700);
        CHECK(figures.ending[0] == 1'700);
    }
}
