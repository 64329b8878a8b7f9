#include "ra/upstream/breaker.h"

#include <algorithm>

namespace ra::upstream {

bool Breaker::is_due(BootTime now) const noexcept {
    switch (state_) {
        case State::closed:
            return true;
        case State::open:
            return now >= retry_at_;
        case State::half_open:
            return !trying_;
    }
    return false;
}

bool Breaker::admit(BootTime now) noexcept {
    if (!is_due(now)) return false;
    if (state_ == State::closed) return true;
    state_ = State::half_open;
    trying_ = true;
    return true;
}

void Breaker::succeeded() noexcept {
    state_ = State::closed;
    failures_ = 0;
    trying_ = false;
    open_for_ = {};
}

void Breaker::failed(BootTime now) noexcept {
    // Messages that left before it opened fail one after the other: that is one outage.
    if (state_ == State::open) return;
    if (state_ == State::half_open) return open(now);
    if (settings_.failures != 0 && ++failures_ >= settings_.failures) open(now);
}

void Breaker::forget() noexcept { trying_ = false; }

void Breaker::open(BootTime now) noexcept {
    open_for_ =
        open_for_.count() == 0 ? settings_.shortest : std::min(open_for_ * 2, settings_.longest);
    state_ = State::open;
    trying_ = false;
    failures_ = 0;
    retry_at_ = now + open_for_;
}

}  // namespace ra::upstream
