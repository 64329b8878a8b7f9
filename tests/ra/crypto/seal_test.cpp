#include "ra/crypto/seal.h"

#include <doctest/doctest.h>

#include <string>

#include "tests/support/seeded_random.h"

using namespace ra;
using crypto::Sealer;

namespace {

Sealer sealer(std::uint8_t fill) { return Sealer::create(Secret{Bytes(32, fill)}).value(); }

TEST_SUITE("ra/crypto") {
    TEST_CASE("Sealer: vectors of C2SP's XAES-256-GCM") {
        // c2sp.org/XAES-256-GCM, "Test vectors".
        struct Row {
            std::uint8_t key;
            std::string_view plain, associated, want;
        };
        const Row rows[] = {
            {0x01, "XAES-256-GCM", "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"},
            {0x03, "XAES-256-GCM", "c2sp.org/XAES-256-GCM",
             "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"}};
        const ByteView nonce = as_bytes("ABCDEFGHIJKLMNOPQRSTUVWX");
        for (const Row& row : rows) {
            const Bytes sealed = sealer(row.key).seal_with_for_test(nonce, as_bytes(row.plain),
                                                                    as_bytes(row.associated));
            CHECK(to_hex(ByteView{sealed}.subspan(Sealer::kNonceOctets)) == row.want);
            const auto plain = sealer(row.key).unseal(sealed, as_bytes(row.associated));
            REQUIRE(plain.has_value());
            CHECK(as_text(*plain) == row.plain);
        }
    }

    TEST_CASE("S-24: what was changed, moved, or sealed under another key is refused") {
        test::SeededRandom random{1};
        const Sealer ours = sealer(7);
        const ByteView place = as_bytes("secrets/17/1");
        for (const std::size_t size : {0U, 1U, 15U, 16U, 17U, 1000U}) {
            CAPTURE(size);
            const Bytes plain = random.octets(size);
            const Bytes sealed = ours.seal(plain, place, random);
            CHECK(sealed.size() == size + Sealer::kOverhead);
            REQUIRE(ours.unseal(sealed, place).has_value());
            CHECK(*ours.unseal(sealed, place) == plain);
            CHECK(ours.seal(plain, place, random) != sealed);

            CHECK(ours.unseal(sealed, as_bytes("secrets/18/1")).error().code ==
                  Errc::bad_signature);
            CHECK(ours.unseal(sealed, {}).error().code == Errc::bad_signature);
            CHECK(sealer(8).unseal(sealed, place).error().code == Errc::bad_signature);
            for (std::size_t at = 0; at < sealed.size(); ++at) {
                Bytes changed = sealed;
                changed[at] ^= static_cast<std::uint8_t>(1U << (at % 8));
                CHECK_FALSE(ours.unseal(changed, place).has_value());
            }
            for (std::size_t end = 0; end < sealed.size(); ++end)
                CHECK_FALSE(ours.unseal(ByteView{sealed}.first(end), place).has_value());
        }
    }

    TEST_CASE("Sealer: keys of another size are refused") {
        for (const std::size_t size : {0U, 16U, 31U, 33U, 64U})
            CHECK(Sealer::create(Secret{Bytes(size, 1)}).error().code == Errc::bad_value);
    }
}

}  // namespace
