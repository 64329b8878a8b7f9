#pragma once

#include <cstdint>
#include <span>

#include "ra/base/random.h"

namespace test {

/// The same octets for the same seed, on every machine (SplitMix64). Not thread-safe.
class SeededRandom final : public ra::Random {
public:
    explicit SeededRandom(std::uint64_t seed) noexcept : state_{seed} {}

    void fill(std::span<std::uint8_t> octets) noexcept override {
        std::uint64_t word = 0;
        for (std::size_t i = 0; i < octets.size(); ++i) {
            if (i % 8 == 0) word = next();
            octets[i] = static_cast<std::uint8_t>(word >> (8 * (i % 8)));
        }
    }
    std::uint64_t next() noexcept {
        std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
        z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27U)) * 0x94d049bb133111eb;
        return z ^ (z >> 31U);
    }
    /// 0..bound-1; bound 0: 0. The bias of 2^-32 does not matter to tests.
    std::uint64_t below(std::uint64_t bound) noexcept { return bound == 0 ? 0 : next() % bound; }
    /// True `percent` times in a hundred.
    bool chance(unsigned percent) noexcept { return below(100) < percent; }
    /// A generator for another purpose, independent of what this one will yield.
    [[nodiscard]] SeededRandom fork() noexcept { return SeededRandom{next()}; }

private:
    std::uint64_t state_;
};

}  // namespace test
