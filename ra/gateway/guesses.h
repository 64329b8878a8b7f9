#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string_view>
#include <vector>

#include "ra/base/bytes.h"
#include "ra/base/random.h"
#include "ra/base/time.h"
#include "ra/crypto/digest.h"

namespace ra::gateway {

/// The network a peer is in, as octets: /24 of IPv4, /56 of IPv6; empty for none.
[[nodiscard]] Bytes source_prefix(std::string_view address);

/// Failures by {reference, source prefix}, each delaying the next try (S-22). Of fixed size: an
/// entry pushes out only one of the same sources, the one with the fewest failures. Thread-safe.
class Guesses {
public:
    struct Settings {
        std::uint32_t free = 3;  // failures without delay
        std::chrono::seconds first_delay{1};
        std::chrono::seconds longest_delay{60};
        std::chrono::seconds forget_after{900};  // without a failure
        std::size_t sets = 2048;                 // of 4 entries, 32 octets each
    };

    Guesses(Random& random, const Settings& settings);

    /// Must the next try wait?
    [[nodiscard]] bool delayed(ByteView reference, std::string_view source, BootTime now);
    void failed(ByteView reference, std::string_view source, BootTime now);
    void verified(ByteView reference, std::string_view source);

private:
    static constexpr std::size_t kWays = 4;
    struct Entry {
        std::uint64_t tag = 0;  // 0: free
        std::uint32_t failures = 0;
        BootTime last{};
        BootTime until{};
    };
    struct Place {
        std::size_t set = 0;
        std::uint64_t tag = 0;
    };
    [[nodiscard]] Place place(ByteView reference, std::string_view source) const;
    [[nodiscard]] Entry* find(const Place& place) noexcept;

    const Settings settings_;
    Bytes key_;
    std::mutex mutex_;
    std::vector<Entry> entries_;
};

}  // namespace ra::gateway
