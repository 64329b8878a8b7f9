#include "ra/base/keyed_hash.h"

#include <array>
#include <bit>
#include <cassert>
#include <cstring>

namespace ra {
namespace {

class SipState {
public:
    SipState(std::uint64_t k0, std::uint64_t k1) noexcept
        : v0_{k0 ^ 0x736f6d6570736575},
          v1_{k1 ^ 0x646f72616e646f6d},
          v2_{k0 ^ 0x6c7967656e657261},
          v3_{k1 ^ 0x7465646279746573} {}

    void take(std::uint64_t word) noexcept {
        v3_ ^= word;
        rounds(2);
        v0_ ^= word;
    }
    std::uint64_t finish() noexcept {
        v2_ ^= 0xff;
        rounds(4);
        return v0_ ^ v1_ ^ v2_ ^ v3_;
    }

private:
    void rounds(int count) noexcept {
        for (; count > 0; --count) {
            v0_ += v1_;
            v2_ += v3_;
            v1_ = std::rotl(v1_, 13) ^ v0_;
            v3_ = std::rotl(v3_, 16) ^ v2_;
            v0_ = std::rotl(v0_, 32);
            v2_ += v1_;
            v0_ += v3_;
            v1_ = std::rotl(v1_, 17) ^ v2_;
            v3_ = std::rotl(v3_, 21) ^ v0_;
            v2_ = std::rotl(v2_, 32);
        }
    }
    std::uint64_t v0_, v1_, v2_, v3_;
};

std::uint64_t load(const std::uint8_t* octets, std::size_t count) noexcept {
    static_assert(std::endian::native == std::endian::little);
    std::uint64_t word = 0;
    std::memcpy(&word, octets, count);
    return word;
}

/// Whole words of `octets` go in; yields what remains.
ByteView take_words(SipState& state, ByteView octets) noexcept {
    while (octets.size() >= 8) {
        state.take(load(octets.data(), 8));
        octets = octets.subspan(8);
    }
    return octets;
}

}  // namespace

KeyedHash::KeyedHash(Random& random) noexcept {
    std::array<std::uint8_t, 16> key{};
    random.fill(key);
    k0_ = load(key.data(), 8);
    k1_ = load(key.data() + 8, 8);
}

std::uint64_t KeyedHash::operator()(ByteView head, ByteView tail) const noexcept {
    assert(head.size() % 8 == 0);
    SipState state{k0_, k1_};
    take_words(state, head);
    const ByteView rest = take_words(state, tail);
    const std::uint64_t size = head.size() + tail.size();
    state.take((size << 56U) | (rest.empty() ? 0 : load(rest.data(), rest.size())));
    return state.finish();
}

}  // namespace ra
