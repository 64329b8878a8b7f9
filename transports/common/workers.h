#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "transports/common/worker.h"

namespace transports::common {

/// The worker threads of the process: made first, started when everything is wired.
class Workers {
public:
    /// `log` is called on any of the threads, which are called `name` and their number.
    Workers(std::size_t count, const FaultLog& log, std::string name = "worker-");
    Workers(const Workers&) = delete;
    Workers& operator=(const Workers&) = delete;
    /// stop(), if that has not been done.
    ~Workers();

    [[nodiscard]] std::size_t size() const noexcept { return workers_.size(); }
    [[nodiscard]] Worker& operator[](std::size_t index) noexcept { return *workers_[index]; }

    /// Starts the threads, which block every signal: signals are the main thread's.
    void start();

    /// From outside the workers. Idle sessions are closed at once, the others after the exchange
    /// they are in, or at `until`; true if all ended of themselves. Stop the listeners first.
    bool drain(ra::BootTime until);

    /// Ends and joins the threads. What is still suspended is destroyed with this object.
    void stop();

private:
    std::string name_;
    std::vector<std::unique_ptr<Worker>> workers_;
    std::vector<std::thread> threads_;
};

}  // namespace transports::common
