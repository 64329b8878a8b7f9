#pragma once

#include <cstdint>
#include <limits>

#include "ra/base/time.h"

namespace ra::store {

/// Time as rows know it: nanoseconds since the store was made, that went on while the machine was
/// off and never went backwards (S-43). Boot time alone does not outlive a boot, and wall time may
/// be set: an entry must not be forgotten early because somebody put the clock right.
class StoreTime {
public:
    StoreTime() = default;
    /// It is `now` at `boot`.
    StoreTime(std::int64_t now, BootTime boot) noexcept : now_{now}, boot_{boot} {}

    [[nodiscard]] std::int64_t of(BootTime at) const noexcept {
        return add(now_, (at - boot_).count());
    }
    [[nodiscard]] BootTime boot(std::int64_t at) const noexcept {
        return BootTime{BootClock::duration{add(boot_.time_since_epoch().count(), at - now_)}};
    }

private:
    static std::int64_t add(std::int64_t a, std::int64_t b) noexcept {
        std::int64_t sum = 0;
        if (!__builtin_add_overflow(a, b, &sum)) return sum;
        return std::numeric_limits<std::int64_t>::max();  // "never" stays it
    }
    std::int64_t now_ = 0;
    BootTime boot_{};
};

/// When a store was last written to. How much time went by since: within one boot, exactly; over a
/// reboot, what the wall clock says, but never less than nothing.
struct Moment {
    std::int64_t store = 0;
    std::int64_t wall = 0;  // seconds
    std::int64_t boot = 0;  // nanoseconds
    std::string boot_id;    // of the kernel; empty: not known

    [[nodiscard]] StoreTime resume(const Clock& clock, const std::string& boot_id_now) const {
        const BootTime boot_now = clock.boot_now();
        std::int64_t passed = 0;
        if (!boot_id.empty() && boot_id == boot_id_now) {
            passed = boot_now.time_since_epoch().count() - boot;
        } else {
            constexpr std::int64_t kLongest = 100LL * 366 * 86'400;
            const std::int64_t off = clock.wall_now().time_since_epoch().count() - wall;
            passed = (off > kLongest ? kLongest : off) * 1'000'000'000;
        }
        return {store + (passed > 0 ? passed : 0), boot_now};
    }
};

}  // namespace ra::store
