#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>

#include "transports/common/timer_wheel.h"

namespace transports::common {

class Worker;

/// One coroutine waits, somebody else on the same worker wakes it. Not thread-safe.
class Wakeup final : private TimerNode {
public:
    explicit Wakeup(Worker& worker) noexcept : worker_{worker} {}
    ~Wakeup();

    /// True: notify() was called (before or during the wait); false: `until` came first. One waiter
    /// at a time.
    boost::asio::awaitable<bool> wait(ra::BootTime until);

    /// Wakes the waiter, or the next one. The waiter runs later, not inside this call.
    void notify() noexcept { complete(true); }

private:
    struct Waiter {
        virtual ~Waiter() = default;
        /// Posts the resumption.
        virtual void resume(bool notified) = 0;
    };
    template <class Handler>
    struct WaiterOf;

    void expired() noexcept override { complete(false); }
    void abandoned() noexcept override;
    void complete(bool notified) noexcept;

    Worker& worker_;
    std::unique_ptr<Waiter> waiter_;
    bool notified_ = false;
};

}  // namespace transports::common
