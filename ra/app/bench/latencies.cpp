#include <algorithm>
#include <bit>

#include "ra/app/bench/load.h"

namespace ra::app::bench {

void Latencies::add(std::chrono::nanoseconds duration) noexcept {
    constexpr std::int64_t kMost = 0xffffffff;
    const auto microseconds =
        static_cast<std::uint32_t>(std::clamp<std::int64_t>(duration.count() / 1000, 0, kMost));
    // The highest bits tell the bucket: below 2^kFineBits one a microsecond, then as many for each
    // power of two.
    const auto width = static_cast<unsigned>(std::bit_width(microseconds));
    const unsigned shift = width > kFineBits + 1 ? width - kFineBits - 1 : 0;
    ++counts_[(std::size_t{shift} << kFineBits) + (microseconds >> shift)];
    ++count_;
}

void Latencies::add(const Latencies& others) noexcept {
    for (std::size_t i = 0; i < kBuckets; ++i) counts_[i] += others.counts_[i];
    count_ += others.count_;
}

double Latencies::percentile(double part) const noexcept {
    const auto wanted = static_cast<std::uint64_t>(part * static_cast<double>(count_));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < kBuckets; ++i) {
        seen += counts_[i];
        if (counts_[i] == 0 || (seen <= wanted && seen != count_)) continue;
        const std::size_t shift = i >> kFineBits > 1 ? (i >> kFineBits) - 1 : 0;
        const std::size_t value = (i - (shift << kFineBits)) << shift;
        return static_cast<double>(value) / 1000;
    }
    return 0;
}

}  // namespace ra::app::bench
