#include "ra/gateway/wait.h"

#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>

namespace ra::gateway {
namespace {

/// One suspended wait. All but the notification happens on the waiter's executor, so that no lock
/// is needed: whoever comes first completes it.
template <class Handler>
struct Waiter {
    explicit Waiter(Handler resume) : handler{std::move(resume)} {}

    void complete(bool notified) {
        if (done) return;
        done = true;
        std::move(handler)(notified);
    }

    Handler handler;
    Timers::Id timer = 0;
    bool done = false;
};

}  // namespace

boost::asio::awaitable<bool> wait_for(Timers& timers, Deadline deadline,
                                      std::function<bool(std::function<void()> notify)> arm,
                                      std::function<void()> disarm) {
    const auto executor = co_await boost::asio::this_coro::executor;
    const auto start = [&timers, &arm, &disarm, deadline, executor](auto handler) {
        auto waiter = std::make_shared<Waiter<decltype(handler)>>(std::move(handler));
        waiter->timer = timers.schedule(deadline, [waiter, disarm] {
            if (!waiter->done) disarm();
            waiter->complete(false);
        });
        const auto resume = [waiter, executor, &timers] {
            boost::asio::post(executor, [waiter, &timers] {
                if (waiter->done) return;
                timers.cancel(waiter->timer);
                waiter->complete(true);
            });
        };
        if (!arm(resume)) resume();
    };
    co_return co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>,
                                                   void(bool)>(start, boost::asio::use_awaitable);
}

}  // namespace ra::gateway
