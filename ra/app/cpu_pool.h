#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "ra/gateway/ports.h"

namespace ra::app {

/// Threads for what would block a worker; started when first needed. Any thread may call it.
class ThreadCpuPool final : public gateway::CpuPool {
public:
    /// `nice`: how far its threads stand back behind others, as nice(1) counts.
    ThreadCpuPool(std::size_t threads, std::size_t queue, int nice = 0);
    ~ThreadCpuPool() override;

    asio::awaitable<bool> run(std::function<void()> work) override;

    /// Ends the threads; what still waits is dropped. The workers have stopped by then.
    void stop();

private:
    void serve();
    [[nodiscard]] bool enqueue(std::function<void()> job);

    const std::size_t most_threads_;
    const std::size_t most_queued_;
    const int nice_;
    std::mutex mutex_;
    std::condition_variable filled_;
    std::deque<std::function<void()>> queue_;
    std::size_t idle_ = 0;
    bool stopping_ = false;
    std::vector<std::thread> threads_;
};

}  // namespace ra::app
