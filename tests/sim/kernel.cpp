#include "tests/sim/kernel.h"

#include <boost/asio/async_result.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>

namespace test::sim {

ra::Timers::Id Kernel::schedule(ra::BootTime at, std::function<void()> fire) {
    const Id id = ++last_id_;
    const ra::BootTime when = std::max(at, now_);
    due_.emplace(std::pair{when, id}, std::move(fire));
    when_.emplace(id, when);
    return id;
}

void Kernel::cancel(Id id) noexcept {
    const auto found = when_.find(id);
    if (found == when_.end()) return;
    due_.erase({found->second, id});
    when_.erase(found);
}

asio::awaitable<void> Kernel::sleep(Span span) {
    const auto start = [this, span](auto handler) {
        // std::function wants what can be copied.
        auto shared = std::make_shared<decltype(handler)>(std::move(handler));
        schedule(now_ + span,
                 [this, shared] { asio::post(*io_, [shared] { std::move (*shared)(); }); });
    };
    co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(start,
                                                                         asio::use_awaitable);
}

void Kernel::spawn(asio::awaitable<void> work) {
    ++alive_;
    asio::co_spawn(*io_, std::move(work), [this](std::exception_ptr failed) {
        --alive_;
        if (failed && !failed_) failed_ = failed;
    });
}

void Kernel::run_ready() {
    io_->restart();
    io_->poll();
    if (failed_) std::rethrow_exception(std::exchange(failed_, nullptr));
}

bool Kernel::run_until(ra::BootTime moment, const std::function<bool()>& done,
                       const std::function<void()>& step) {
    for (;;) {
        run_ready();
        step();
        if (done()) return true;
        if (due_.empty() || due_.begin()->first.first > moment) {
            now_ = std::max(now_, moment);
            return false;
        }
        auto next = due_.extract(due_.begin());
        now_ = next.key().first;
        when_.erase(next.key().second);
        next.mapped()();
    }
}

void Kernel::abandon() noexcept {
    const auto due = std::exchange(due_, {});
    const auto when = std::exchange(when_, {});
    io_.reset();
}

asio::awaitable<bool> SimCpuPool::run(std::function<void()> work) {
    if (kernel_.random().chance(full_percent_)) co_return false;
    co_await kernel_.sleep(std::chrono::microseconds{kernel_.random().below(5000)});
    work();
    co_return true;
}

}  // namespace test::sim
