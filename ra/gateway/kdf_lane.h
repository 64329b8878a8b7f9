#pragma once

#include <deque>
#include <functional>
#include <list>
#include <map>

#include "ra/base/bytes.h"
#include "ra/gateway/ports.h"

namespace ra::gateway {

/// Bounds of one worker's slow key derivations.
struct KdfLimits {
    std::size_t at_once = 1;
    std::size_t waiting = 256;
    std::size_t waiting_per_source = 8;
};

/// Slow key derivations of one worker, on its CPU pool: the sources take turns, so that one that
/// asks for the most iterations delays another by one derivation, not by its whole queue (S-34).
/// Not thread-safe.
class KdfLane {
public:
    KdfLane(CpuPool& pool, Timers& timers, KdfLimits limits = {})
        : pool_{pool}, timers_{timers}, limits_{limits} {}
    KdfLane(const KdfLane&) = delete;
    KdfLane& operator=(const KdfLane&) = delete;

    /// Runs `work` when its turn comes. False: too many wait, or the deadline came first; not run.
    /// `source`: of the peer, as source_prefix() makes it.
    asio::awaitable<bool> run(Bytes source, Deadline deadline, std::function<void()> work);

    [[nodiscard]] std::size_t waiting() const noexcept { return waiting_; }

private:
    struct Waiter {
        std::function<void()> notify;
        bool granted = false;
    };
    struct Source {
        Bytes prefix;
        std::deque<Waiter*> waiters;
    };
    void leave() noexcept;
    void forget(const Bytes& source, const Waiter* waiter) noexcept;

    CpuPool& pool_;
    Timers& timers_;
    const KdfLimits limits_;
    std::size_t running_ = 0, waiting_ = 0;
    std::list<Source> turns_;  // sources with waiters; the first is next
};

}  // namespace ra::gateway
