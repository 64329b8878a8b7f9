#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>

#include "ra/base/time.h"

namespace transports::common {

/// Something that happens at a moment; base of a stream's deadline and of Timers' callbacks.
/// Leaves the wheel when it is destroyed.
class TimerNode {
public:
    TimerNode() = default;
    TimerNode(const TimerNode&) = delete;
    TimerNode& operator=(const TimerNode&) = delete;

    [[nodiscard]] bool armed() const noexcept { return next_ != nullptr; }

protected:
    ~TimerNode() { unlink(); }

private:
    friend class TimerWheel;
    /// Called once, disarmed. May arm or destroy any node, itself included.
    virtual void expired() noexcept = 0;
    /// Called instead, disarmed, when its worker ends: it will not expire any more.
    virtual void abandoned() noexcept {}
    void unlink() noexcept;

    TimerNode* previous_ = nullptr;
    TimerNode* next_ = nullptr;
    std::uint64_t tick_ = 0;
};

/// Coarse deadlines for tens of thousands of nodes: arming and disarming cost a list operation, no
/// system call and no allocation. Never early; late by at most one tick. Not thread-safe.
class TimerWheel {
public:
    static constexpr std::chrono::milliseconds kTick{32};

    TimerWheel() noexcept;
    TimerWheel(const TimerWheel&) = delete;
    TimerWheel& operator=(const TimerWheel&) = delete;
    /// Unlinks what is still armed; nothing expires.
    ~TimerWheel();

    /// Moves `node` to `at`, armed or not; a moment gone by expires at the next advance().
    void arm(TimerNode& node, ra::BootTime at) noexcept;
    static void disarm(TimerNode& node) noexcept { node.unlink(); }

    /// Expires every node whose moment has come.
    void advance(ra::BootTime now) noexcept;

    /// Disarms every node and tells it so.
    void abandon() noexcept;

    /// When to call advance() next; nullopt: nothing is armed. May be earlier than the first node's
    /// moment (one that lies more than a turn of the wheel ahead), never later.
    [[nodiscard]] std::optional<ra::BootTime> next() const noexcept;

private:
    static constexpr std::size_t kSlots = 512;  // a turn is 16 s; longer ones are met on the way
    struct Head final : TimerNode {
        void expired() noexcept override {}
    };

    static void link(Head& head, TimerNode& node) noexcept;
    void expire_slot(Head& head) noexcept;

    std::array<Head, kSlots> slots_;
    std::uint64_t done_ = 0;  // every tick up to this one has been expired
};

}  // namespace transports::common
