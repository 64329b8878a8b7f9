#include "transports/common/wakeup.h"

#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "transports/common/worker.h"

namespace transports::common {

namespace asio = boost::asio;

template <class Handler>
struct Wakeup::WaiterOf final : Waiter {
    WaiterOf(Worker& on, Handler resumed) : worker{on}, handler{std::move(resumed)} {}
    void resume(bool notified) override {
        asio::post(worker.executor(), [resumed = std::move(handler), notified]() mutable {
            std::move(resumed)(notified);
        });
    }
    Worker& worker;
    Handler handler;
};

Wakeup::~Wakeup() = default;

asio::awaitable<bool> Wakeup::wait(ra::BootTime until) {
    if (std::exchange(notified_, false)) co_return true;
    const auto start = [this, until](auto handler) {
        waiter_ = std::make_unique<WaiterOf<decltype(handler)>>(worker_, std::move(handler));
        worker_.arm(*this, until);
    };
    const bool notified = co_await asio::async_initiate<const asio::use_awaitable_t<>, void(bool)>(
        start, asio::use_awaitable);
    co_return notified;
}

void Wakeup::abandoned() noexcept {
    // The waiter owns the coroutine, whose frame most often owns this: without breaking the ring
    // both would outlive the worker. Nothing may be touched afterwards.
    const auto waiter = std::move(waiter_);
}

void Wakeup::complete(bool notified) noexcept {
    if (waiter_ == nullptr) {
        notified_ = notified_ || notified;
        return;
    }
    TimerWheel::disarm(*this);
    const auto waiter = std::move(waiter_);
    waiter->resume(notified);
}

}  // namespace transports::common
