#include "transports/common/timer_wheel.h"

#include <algorithm>

namespace transports::common {
namespace {

constexpr std::int64_t kTickNanoseconds = std::chrono::nanoseconds{TimerWheel::kTick}.count();

std::uint64_t tick_at_or_before(ra::BootTime at) noexcept {
    const std::int64_t since_boot = std::max<std::int64_t>(0, at.time_since_epoch().count());
    return static_cast<std::uint64_t>(since_boot / kTickNanoseconds);
}

std::uint64_t tick_at_or_after(ra::BootTime at) noexcept {
    const std::uint64_t before = tick_at_or_before(at);
    return at.time_since_epoch().count() % kTickNanoseconds == 0 ? before : before + 1;
}

}  // namespace

void TimerNode::unlink() noexcept {
    if (next_ == nullptr) return;
    previous_->next_ = next_;
    next_->previous_ = previous_;
    previous_ = next_ = nullptr;
}

TimerWheel::TimerWheel() noexcept {
    for (Head& head : slots_) head.previous_ = head.next_ = &head;
}

TimerWheel::~TimerWheel() {
    for (Head& head : slots_) {
        while (head.next_ != &head) head.next_->unlink();
        head.previous_ = head.next_ = nullptr;
    }
}

void TimerWheel::link(Head& head, TimerNode& node) noexcept {
    node.previous_ = head.previous_;
    node.next_ = &head;
    head.previous_->next_ = &node;
    head.previous_ = &node;
}

void TimerWheel::arm(TimerNode& node, ra::BootTime at) noexcept {
    node.unlink();
    node.tick_ = std::max(tick_at_or_after(at), done_ + 1);
    link(slots_[node.tick_ % kSlots], node);
}

void TimerWheel::expire_slot(Head& head) noexcept {
    if (head.next_ == &head) return;
    // A callback may arm and destroy nodes of this very slot: work on what was due at entry only.
    Head due;
    due.previous_ = due.next_ = &due;
    for (TimerNode* node = head.next_; node != &head;) {
        TimerNode* const following = node->next_;
        if (node->tick_ <= done_) {
            node->unlink();
            link(due, *node);
        }
        node = following;
    }
    while (due.next_ != &due) {
        TimerNode& node = *due.next_;
        node.unlink();
        node.expired();
    }
    due.previous_ = due.next_ = nullptr;
}

void TimerWheel::advance(ra::BootTime now) noexcept {
    const std::uint64_t until = tick_at_or_before(now);
    if (until <= done_) return;
    // After a pause longer than a turn each slot is looked at once.
    const std::uint64_t first = std::max(done_ + 1, until >= kSlots ? until - kSlots + 1 : 0);
    done_ = until;
    for (std::uint64_t tick = first; tick <= until; ++tick) expire_slot(slots_[tick % kSlots]);
}

void TimerWheel::abandon() noexcept {
    for (Head& head : slots_) {
        while (head.next_ != &head) {
            TimerNode& node = *head.next_;
            node.unlink();
            node.abandoned();
        }
    }
}

std::optional<ra::BootTime> TimerWheel::next() const noexcept {
    for (std::uint64_t tick = done_ + 1; tick <= done_ + kSlots; ++tick) {
        const Head& head = slots_[tick % kSlots];
        if (head.next_ == &head) continue;
        return ra::BootTime{
            std::chrono::nanoseconds{static_cast<std::int64_t>(tick) * kTickNanoseconds}};
    }
    return std::nullopt;
}

}  // namespace transports::common
