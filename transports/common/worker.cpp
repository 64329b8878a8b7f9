#include "transports/common/worker.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <cerrno>
#include <system_error>

namespace transports::common {

namespace asio = boost::asio;

/// A function scheduled through ra::Timers.
struct Worker::Callback final : TimerNode {
    Callback(Worker& on, Id name, std::function<void()> run)
        : worker{on}, id{name}, fire{std::move(run)} {}

    void expired() noexcept override {
        const auto self = std::move(worker.callbacks_.extract(id).mapped());
        try {
            fire();
        } catch (...) {
            worker.report("timer", std::current_exception());
        }
    }

    Worker& worker;
    Id id;
    std::function<void()> fire;
};

Worker::Worker(FaultLog log)
    : log_{std::move(log)},
      tasks_{context_, log_},
      context_{1},
      timer_{context_},
      sockets_{context_} {
    // CLOCK_BOOTTIME: deadlines go on counting while the machine sleeps (S-43).
    const int descriptor = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    if (descriptor < 0) throw std::system_error{errno, std::generic_category(), "timerfd_create"};
    timer_.assign(descriptor);
    await_timer();
    sockets_.assign(reactor_.descriptor());
    await_sockets();
}

Worker::~Worker() {
    sockets_.release();  // the reactor closes it
    // What waits for a timer or a socket holds coroutines that refer to the io_context: they go
    // before it.
    wheel_.abandon();
    reactor_.abandon();
    tasks_.abandon();
    while (!callbacks_.empty()) {
        const auto abandoned = callbacks_.extract(callbacks_.begin());
    }
}

void Worker::run() {
    const auto work = asio::make_work_guard(context_);
    for (;;) {
        try {
            context_.run();
            return;
        } catch (...) {
            report("worker", std::current_exception());
        }
    }
}

void Worker::report(std::string_view where, std::exception_ptr fault) noexcept {
    if (log_) log_(where, std::move(fault));
}

void Worker::arm(TimerNode& node, ra::BootTime at) noexcept {
    wheel_.arm(node, at);
    if (at < timer_set_) set_timer(at);
}

void Worker::set_timer(ra::BootTime at) noexcept {
    timer_set_ = at;
    const auto since_boot = std::max(at.time_since_epoch(), std::chrono::nanoseconds{1});
    const auto seconds = std::chrono::floor<std::chrono::seconds>(since_boot);
    itimerspec when{};
    when.it_value.tv_sec = seconds.count();
    when.it_value.tv_nsec = (since_boot - seconds).count();
    timerfd_settime(timer_.native_handle(), TFD_TIMER_ABSTIME, &when, nullptr);
}

void Worker::await_timer() {
    timer_.async_wait(Descriptor::wait_read, [this](boost::system::error_code error) {
        if (error) return;
        on_timer();
        await_timer();
    });
}

void Worker::await_sockets() {
    sockets_.async_wait(Descriptor::wait_read, [this](boost::system::error_code error) {
        if (error) return;
        reactor_.dispatch();
        await_sockets();
    });
}

void Worker::on_timer() noexcept {
    std::uint64_t expirations = 0;
    if (read(timer_.native_handle(), &expirations, sizeof expirations) < 0) return;
    timer_set_ = ra::BootTime::max();
    wheel_.advance(ra::BootClock::now());
    const auto next = wheel_.next();
    if (next && *next < timer_set_) set_timer(*next);
}

ra::Timers::Id Worker::schedule(ra::BootTime at, std::function<void()> fire) {
    const Id id = ++last_id_;
    auto callback = std::make_unique<Callback>(*this, id, std::move(fire));
    arm(*callback, at);
    callbacks_.emplace(id, std::move(callback));
    return id;
}

void Worker::cancel(Id id) noexcept { callbacks_.erase(id); }

}  // namespace transports::common
