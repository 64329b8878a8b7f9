#pragma once

#include <functional>
#include <string>
#include <thread>

#include "ra/app/log.h"
#include "ra/base/time.h"

namespace ra::app {

/// Why this wall clock cannot be right: it shows a time before the program's own source was
/// written, a day of grace for clocks that were wrong then; empty: it may be right. A gateway with
/// such a clock takes valid certificates and messages for future ones, so it is not ready (S-43).
[[nodiscard]] std::string clock_fault(WallTime now, WallTime source_time);

/// Says when the wall clock may be right. Machines without a battery begin in 1970 and are set once
/// they reach a time server; nobody should have to start the gateway again for it.
class ClockWatch {
public:
    /// Calls `ready` once: at once, or on a thread of its own as soon as the clock has been set.
    /// Until then the log and the service manager are told why not. All but `ready` outlive it.
    ClockWatch(const Clock& clock, WallTime source_time, Log& log, std::function<void()> ready,
               std::chrono::milliseconds every = std::chrono::seconds{1});

private:
    std::jthread thread_;  // ended by its destructor
};

}  // namespace ra::app
