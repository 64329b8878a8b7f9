#include "ra/store/kept_answers.h"

#include <doctest/doctest.h>

#include <map>

#include "tests/support/seeded_random.h"

using ra::Bytes;
using ra::store::KeptAnswers;

namespace {

bool holds(const KeptAnswers& kept, std::uint64_t owner, KeptAnswers::Ticket ticket,
           const Bytes& answer) {
    const auto found = kept.find(owner, ticket);
    return found != nullptr && *found == answer;
}

}  // namespace

TEST_SUITE("ra/store") {
    TEST_CASE("KeptAnswers: the newest overwrites the oldest, across the end of the arena") {
        KeptAnswers kept{100};
        const Bytes a(40, 'a'), b(40, 'b'), c(40, 'c');
        const auto first = kept.keep(1, a), second = kept.keep(2, b);
        CHECK(holds(kept, 1, first, a));
        CHECK(kept.octets() == 80);
        const auto third = kept.keep(3, c);
        CHECK(kept.find(1, first) == nullptr);
        CHECK(holds(kept, 2, second, b));
        CHECK(holds(kept, 3, third, c));
        CHECK(kept.octets() == 80);
    }

    TEST_CASE("KeptAnswers: what is found is its owner's") {
        KeptAnswers kept{100};
        const auto ticket = kept.keep(1, Bytes(10, 'a'));
        CHECK(kept.find(2, ticket) == nullptr);
        CHECK(kept.find(1, ticket + 1) == nullptr);
        CHECK(kept.find(1, KeptAnswers::kNone) == nullptr);
        kept.drop(2, ticket);
        kept.drop(1, KeptAnswers::kNone);
        CHECK(holds(kept, 1, ticket, Bytes(10, 'a')));
    }

    TEST_CASE("KeptAnswers: sizes at the bound") {
        KeptAnswers kept{100};
        CHECK(kept.keep(1, Bytes(101)) == KeptAnswers::kNone);
        CHECK(kept.octets() == 0);
        const auto whole = kept.keep(1, Bytes(100, 'w'));
        CHECK(holds(kept, 1, whole, Bytes(100, 'w')));
        const auto empty = kept.keep(2, {});
        CHECK(holds(kept, 2, empty, {}));
        CHECK(holds(kept, 1, whole, Bytes(100, 'w')));
        KeptAnswers nothing{0};
        CHECK(nothing.keep(1, Bytes(1)) == KeptAnswers::kNone);
        CHECK(holds(nothing, 1, nothing.keep(1, {}), {}));
    }

    TEST_CASE("KeptAnswers: dropped ones count no more and make room in order of age") {
        KeptAnswers kept{100};
        const auto a = kept.keep(1, Bytes(40, 'a')), b = kept.keep(2, Bytes(40, 'b'));
        kept.drop(2, b);
        CHECK(kept.octets() == 40);
        CHECK(kept.find(2, b) == nullptr);
        kept.drop(2, b);
        CHECK(kept.octets() == 40);
        kept.drop(1, a);
        CHECK(kept.octets() == 0);
        const auto whole = kept.keep(3, Bytes(100, 'c'));
        CHECK(holds(kept, 3, whole, Bytes(100, 'c')));
    }

    TEST_CASE("KeptAnswers: against a list, at random") {
        constexpr std::size_t kCapacity = 1000;
        test::SeededRandom random{11};
        KeptAnswers kept{kCapacity};
        std::map<KeptAnswers::Ticket, Bytes> all;  // what was kept and not dropped; owner = ticket
        for (unsigned round = 0; round < 5000; ++round) {
            const Bytes dice = random.octets(4);
            if (dice[0] < 200) {
                const Bytes answer(dice[1], dice[2]);
                // The owner must be known before the ticket: they are numbered alike.
                const auto ticket = kept.keep(all.empty() ? 0 : all.rbegin()->first + 1, answer);
                REQUIRE(ticket == (all.empty() ? 0 : all.rbegin()->first + 1));
                all.emplace(ticket, answer);
            } else if (all.size() > 1) {
                auto victim =
                    std::next(all.begin(), static_cast<std::ptrdiff_t>(dice[1] % (all.size() - 1)));
                kept.drop(victim->first, victim->first);
                CHECK(kept.find(victim->first, victim->first) == nullptr);
                all.erase(victim);
            }
            // From the newest back, whatever fits is there; the gaps of dropped ones may cost room.
            std::size_t octets = 0;
            for (auto one = all.begin(); one != all.end();) {
                const auto found = kept.find(one->first, one->first);
                if (found == nullptr && std::next(one) != all.end()) {
                    one = all.erase(one);
                    continue;
                }
                REQUIRE(found != nullptr);
                REQUIRE(*found == one->second);
                octets += found->size();
                ++one;
            }
            REQUIRE(kept.octets() == octets);
            REQUIRE(octets <= kCapacity);
        }
    }
}
