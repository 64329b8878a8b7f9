#pragma once

#include <chrono>
#include <cstdint>

#include "ra/base/time.h"

namespace ra::upstream {

struct BreakerSettings {
    unsigned failures = 5;                      // in a row; 0: never opens
    std::chrono::milliseconds shortest{2'000};  // open the first time
    std::chrono::milliseconds longest{120'000};
};

/// Whether one URL is worth trying (a circuit breaker). Pure: the time comes in.
///
/// Closed: every message may go. After `failures` in a row it opens: none goes until a while has
/// passed; then one may try (half-open). If that works it closes; if not, it stays open twice as
/// long, up to `longest`.
class Breaker {
public:
    explicit Breaker(BreakerSettings settings = {}) noexcept : settings_{settings} {}

    enum class State : std::uint8_t { closed, open, half_open };

    /// May a message (or probe) go now? With half-open, true once: its outcome must be told.
    [[nodiscard]] bool admit(BootTime now) noexcept;
    /// Would admit() say yes? Changes nothing.
    [[nodiscard]] bool is_due(BootTime now) const noexcept;
    void succeeded() noexcept;
    void failed(BootTime now) noexcept;
    /// What was admitted neither worked nor failed (our own bound, a cancelled probe).
    void forget() noexcept;

    [[nodiscard]] State state() const noexcept { return state_; }

private:
    void open(BootTime now) noexcept;

    BreakerSettings settings_;
    State state_ = State::closed;
    unsigned failures_ = 0;
    bool trying_ = false;  // half-open: one is on its way
    std::chrono::milliseconds open_for_{};
    BootTime retry_at_{};
};

}  // namespace ra::upstream
