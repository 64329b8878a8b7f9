#include "ra/gateway/kdf_lane.h"

#include <algorithm>

#include "ra/gateway/wait.h"

namespace ra::gateway {

asio::awaitable<bool> KdfLane::run(Bytes source, Deadline deadline, std::function<void()> work) {
    if (running_ < limits_.at_once) {
        ++running_;
    } else {
        auto mine = std::find_if(turns_.begin(), turns_.end(),
                                 [&source](const Source& one) { return one.prefix == source; });
        const bool known = mine != turns_.end();
        if (waiting_ >= limits_.waiting ||
            (known && mine->waiters.size() >= limits_.waiting_per_source))
            co_return false;
        if (!known) mine = turns_.insert(turns_.end(), Source{source, {}});
        Waiter waiter;
        mine->waiters.push_back(&waiter);
        ++waiting_;
        const auto arm = [&waiter](std::function<void()> notify) {
            waiter.notify = std::move(notify);
            return true;
        };
        const auto disarm = [this, &source, &waiter] {
            // Its turn may have come in the same moment: then it is the next one's.
            if (waiter.granted) {
                leave();
            } else {
                forget(source, &waiter);
            }
        };
        if (!co_await wait_for(timers_, deadline, arm, disarm)) co_return false;
    }
    const bool ran = co_await pool_.run(std::move(work));
    leave();
    co_return ran;
}

/// One has ended: the next source's first waiter takes its place.
void KdfLane::leave() noexcept {
    if (turns_.empty()) {
        --running_;
        return;
    }
    Source& source = turns_.front();
    Waiter* const waiter = source.waiters.front();
    source.waiters.pop_front();
    --waiting_;
    if (source.waiters.empty()) {
        turns_.pop_front();
    } else {
        turns_.splice(turns_.end(), turns_, turns_.begin());
    }
    waiter->granted = true;
    waiter->notify();
}

void KdfLane::forget(const Bytes& source, const Waiter* waiter) noexcept {
    for (auto one = turns_.begin(); one != turns_.end(); ++one) {
        if (one->prefix != source) continue;
        std::erase(one->waiters, waiter);
        --waiting_;
        if (one->waiters.empty()) turns_.erase(one);
        return;
    }
}

}  // namespace ra::gateway
