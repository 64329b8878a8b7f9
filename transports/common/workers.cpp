#include "transports/common/workers.h"

#include <pthread.h>
#include <signal.h>

#include <condition_variable>
#include <mutex>
#include <string>

namespace transports::common {
namespace {

/// How many workers still have tasks; shared with callbacks that may outlive the wait.
struct Busy {
    std::mutex mutex;
    std::condition_variable changed;
    std::size_t workers = 0;

    void leave() {
        const std::lock_guard lock{mutex};
        --workers;
        changed.notify_all();
    }
    bool wait_until_none(ra::BootTime until) {
        std::unique_lock lock{mutex};
        return changed.wait_for(lock, until - ra::BootClock::now(),
                                [this] { return workers == 0; });
    }
};

/// Runs on the worker: leaves `busy` when its last task has ended, once.
void leave_when_empty(Worker& worker, const std::shared_ptr<Busy>& busy) {
    if (worker.tasks().size() == 0) return busy->leave();
    worker.tasks().on_empty([busy, left = false]() mutable {
        if (!std::exchange(left, true)) busy->leave();
    });
}

}  // namespace

Workers::Workers(std::size_t count, const FaultLog& log, std::string name)
    : name_{std::move(name)} {
    for (std::size_t i = 0; i < count; ++i) workers_.push_back(std::make_unique<Worker>(log));
}

Workers::~Workers() { stop(); }

void Workers::start() {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);  // inherited by the threads made here
    for (std::size_t i = 0; i < workers_.size(); ++i) {
        threads_.emplace_back([worker = workers_[i].get()] { worker->run(); });
        pthread_setname_np(threads_.back().native_handle(), (name_ + std::to_string(i)).c_str());
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

bool Workers::drain(ra::BootTime until) {
    if (threads_.empty()) return true;
    const auto busy = std::make_shared<Busy>();
    busy->workers = workers_.size();
    for (const auto& worker : workers_) {
        worker->post([&worker = *worker, busy] {
            worker.tasks().drain();
            leave_when_empty(worker, busy);
        });
    }
    const bool ended = busy->wait_until_none(until);
    if (ended) return true;
    for (const auto& worker : workers_) {
        worker->post([&worker = *worker] { worker.tasks().cancel(); });
    }
    // Closed streams and cancelled waits end within one turn of the loop.
    busy->wait_until_none(ra::BootClock::now() + std::chrono::seconds{1});
    return false;
}

void Workers::stop() {
    for (const auto& worker : workers_) worker->stop();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
}

}  // namespace transports::common
