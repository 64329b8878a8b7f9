#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <utility>

#include "ra/base/random.h"
#include "ra/base/time.h"
#include "transports/common/reactor.h"
#include "transports/common/task_group.h"
#include "transports/common/timer_wheel.h"

namespace transports::common {

/// One thread's world: an io_context, its coarse timers, its tasks, and the buffer its connections
/// share. Everything but post() and stop() is for the thread that runs it (or before run()).
class Worker final : public ra::Timers {
public:
    using Executor = boost::asio::io_context::executor_type;
    using Descriptor = boost::asio::posix::basic_stream_descriptor<Executor>;

    explicit Worker(FaultLog log);
    ~Worker() override;

    /// Serves until stop(). An exception out of a handler is logged; the worker goes on.
    void run();
    /// From any thread: run() returns soon; what is suspended stays until the worker is destroyed.
    void stop() noexcept { context_.stop(); }
    /// From any thread.
    template <class Function>
    void post(Function&& function) {
        boost::asio::post(context_, std::forward<Function>(function));
    }

    [[nodiscard]] boost::asio::io_context& context() noexcept { return context_; }
    [[nodiscard]] Executor executor() noexcept { return context_.get_executor(); }
    [[nodiscard]] Reactor& reactor() noexcept { return reactor_; }
    [[nodiscard]] TaskGroup& tasks() noexcept { return tasks_; }
    [[nodiscard]] ra::Random& random() noexcept { return random_; }
    void report(std::string_view where, std::exception_ptr fault) noexcept;

    /// Where a connection receives: filled by a non-blocking read and consumed before the next
    /// suspension, so that idle connections own no buffer.
    [[nodiscard]] std::span<std::uint8_t> scratch() noexcept { return scratch_; }

    /// `node` expires at `at`, up to 50 ms late. Nodes disarm themselves (TimerWheel::disarm).
    void arm(TimerNode& node, ra::BootTime at) noexcept;

    Id schedule(ra::BootTime at, std::function<void()> fire) override;
    void cancel(Id id) noexcept override;

private:
    struct Callback;

    void set_timer(ra::BootTime at) noexcept;
    void await_timer();
    void on_timer() noexcept;
    void await_sockets();

    FaultLog log_;
    TimerWheel wheel_;
    Reactor reactor_;
    std::unordered_map<Id, std::unique_ptr<Callback>> callbacks_;
    Id last_id_ = 0;
    ra::BootTime timer_set_ = ra::BootTime::max();
    ra::SystemRandom random_;
    std::array<std::uint8_t, 64 * 1024> scratch_;
    TaskGroup tasks_;
    // Destroyed before what suspended coroutines refer to.
    boost::asio::io_context context_;
    Descriptor timer_;
    Descriptor sockets_;  // the reactor's: readable while a socket is ready
};

}  // namespace transports::common
