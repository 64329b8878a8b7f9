#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

namespace ra {

/// Wall clock, for messageTime, validity and CRLs. Whole seconds are what CMP knows.
using WallTime = std::chrono::sys_seconds;

/// Clock that counts from boot and never steps: deadlines and timers (S-43).
struct BootClock {
    using duration = std::chrono::nanoseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<BootClock>;
    static constexpr bool is_steady = true;
    static time_point now() noexcept;  // CLOCK_BOOTTIME; cores take a Clock& instead
};
using BootTime = BootClock::time_point;

/// The moment by which one message's exchange has ended.
using Deadline = BootTime;

/// Where time comes from. The simulator has its own.
struct Clock {
    virtual ~Clock() = default;
    [[nodiscard]] virtual WallTime wall_now() const noexcept = 0;
    [[nodiscard]] virtual BootTime boot_now() const noexcept = 0;
};

/// The machine's clocks.
class SystemClock final : public Clock {
public:
    [[nodiscard]] WallTime wall_now() const noexcept override;
    [[nodiscard]] BootTime boot_now() const noexcept override { return BootClock::now(); }
};

/// Callbacks at a later moment, on the executor the Timers belong to (one a worker). Not
/// thread-safe. Coarse: fires up to 50 ms late.
struct Timers {
    using Id = std::uint64_t;
    virtual ~Timers() = default;
    /// `fire` runs once, never inside this call.
    virtual Id schedule(BootTime at, std::function<void()> fire) = 0;
    /// No effect once fired.
    virtual void cancel(Id id) noexcept = 0;
};

}  // namespace ra
