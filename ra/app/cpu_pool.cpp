#include "ra/app/cpu_pool.h"

#include <sys/resource.h>
#include <unistd.h>

#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>
#include <utility>

namespace ra::app {

ThreadCpuPool::ThreadCpuPool(std::size_t threads, std::size_t queue, int nice)
    : most_threads_{threads}, most_queued_{queue}, nice_{nice} {}

ThreadCpuPool::~ThreadCpuPool() { stop(); }

bool ThreadCpuPool::enqueue(std::function<void()> job) {
    const std::lock_guard lock{mutex_};
    if (stopping_ || queue_.size() >= most_queued_) return false;
    queue_.push_back(std::move(job));
    if (idle_ == 0 && threads_.size() < most_threads_) {
        sigset_t all;
        sigset_t before;
        ::sigfillset(&all);
        ::pthread_sigmask(SIG_SETMASK, &all, &before);  // signals are the main thread's
        threads_.emplace_back([this] { serve(); });
        ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    }
    filled_.notify_one();
    return true;
}

void ThreadCpuPool::serve() {
    // Of this thread alone, on Linux. If it fails, all threads are alike.
    if (nice_ != 0) (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), nice_);
    std::unique_lock lock{mutex_};
    while (true) {
        ++idle_;
        filled_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
        --idle_;
        if (stopping_) return;
        std::function<void()> job = std::move(queue_.front());
        queue_.pop_front();
        lock.unlock();
        job();
        job = nullptr;
        lock.lock();
    }
}

asio::awaitable<bool> ThreadCpuPool::run(std::function<void()> work) {
    const auto executor = co_await asio::this_coro::executor;
    co_return co_await asio::async_initiate<decltype(asio::use_awaitable), void(bool)>(
        [this, &executor, &work](auto handler) {
            // std::function wants copies; the handler has none.
            auto shared = std::make_shared<decltype(handler)>(std::move(handler));
            const bool taken = enqueue([work = std::move(work), shared, executor] {
                work();
                asio::post(executor, [shared] { std::move (*shared)(true); });
            });
            if (!taken) asio::post(executor, [shared] { std::move (*shared)(false); });
        },
        asio::use_awaitable);
}

void ThreadCpuPool::stop() {
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
    }
    filled_.notify_all();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
    queue_.clear();
}

}  // namespace ra::app
