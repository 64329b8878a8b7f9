#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <functional>
#include <memory>
#include <string_view>

namespace transports::common {

class ByteStream;

/// Told of every exception that ends a task or a callback. `where` is a literal.
using FaultLog = std::function<void(std::string_view where, std::exception_ptr fault)>;

/// The coroutines of one worker: none is detached; each is logged when it throws, can be cancelled,
/// and is counted until it ends. Not thread-safe.
class TaskGroup {
public:
    TaskGroup(boost::asio::io_context& context, FaultLog& log) noexcept
        : context_{context}, log_{log} {}
    TaskGroup(const TaskGroup&) = delete;
    TaskGroup& operator=(const TaskGroup&) = delete;
    /// What still runs is destroyed with the io_context, before this.
    ~TaskGroup();

    /// Destroys the streams of what still runs: for the worker's end, before its io_context.
    void abandon() noexcept;

    /// Runs `task` on the worker; cancel() emits terminal cancellation to what it awaits.
    /// `name` is a literal.
    void spawn(std::string_view name, boost::asio::awaitable<void> task);

    /// Runs the session of a connection, which cancel() ends by closing `stream`: cheaper than a
    /// cancellation slot in each wait. The stream is kept until the session has ended.
    /// `owner`: whose session it is, for close_idle().
    void spawn_session(std::string_view name, std::unique_ptr<ByteStream> stream,
                       boost::asio::awaitable<void> task, const void* owner = nullptr);

    /// Closes the sessions of `owner` that wait for a request.
    void close_idle(const void* owner) noexcept;

    /// Closes the sessions that wait for a request and asks the others to end after their exchange:
    /// they see draining().
    void drain() noexcept;
    [[nodiscard]] bool draining() const noexcept { return draining_; }

    /// Closes every session's stream and cancels every task.
    void cancel() noexcept;

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    /// `when_empty` runs each time the last task has ended.
    void on_empty(std::function<void()> when_empty) { when_empty_ = std::move(when_empty); }

private:
    struct Task {
        std::string_view name;
        std::unique_ptr<ByteStream> stream;
        std::unique_ptr<boost::asio::cancellation_signal> signal;
        const void* owner = nullptr;
        Task* previous = nullptr;
        Task* next = nullptr;
    };

    Task* add(std::string_view name);
    static void end_idle(Task& task) noexcept;
    void ended(Task* task, std::exception_ptr fault) noexcept;

    boost::asio::io_context& context_;
    FaultLog& log_;
    Task* first_ = nullptr;
    std::size_t size_ = 0;
    bool draining_ = false;
    std::function<void()> when_empty_;
};

}  // namespace transports::common
