#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <vector>

namespace test {

/// An io_context that is used again and ends with the process: the thread that resumed the last
/// coroutine on it may still be inside post() when that coroutine has ended.
class LentContext {
public:
    LentContext() {
        const std::lock_guard lock{mutex()};
        if (idle().empty()) {
            io_ = std::make_unique<boost::asio::io_context>();
        } else {
            io_ = std::move(idle().back());
            idle().pop_back();
        }
    }
    LentContext(const LentContext&) = delete;
    LentContext& operator=(const LentContext&) = delete;
    ~LentContext() {
        io_->restart();
        const std::lock_guard lock{mutex()};
        idle().push_back(std::move(io_));
    }
    boost::asio::io_context& io() noexcept { return *io_; }

private:
    static std::mutex& mutex() {
        static std::mutex one;
        return one;
    }
    static std::vector<std::unique_ptr<boost::asio::io_context>>& idle() {
        static std::vector<std::unique_ptr<boost::asio::io_context>> all;
        return all;
    }
    std::unique_ptr<boost::asio::io_context> io_;
};

/// Runs a coroutine that needs no world to its end, on an io_context of its own.
template <class T>
T run(boost::asio::awaitable<T> work) {
    LentContext lent;
    std::exception_ptr failed;
    if constexpr (std::is_void_v<T>) {
        boost::asio::co_spawn(lent.io(), std::move(work),
                              [&](std::exception_ptr e) { failed = e; });
        lent.io().run();
        if (failed) std::rethrow_exception(failed);
    } else {
        std::optional<T> result;
        boost::asio::co_spawn(lent.io(), std::move(work), [&](std::exception_ptr e, T value) {
            failed = e;
            if (!e) result.emplace(std::move(value));
        });
        lent.io().run();
        if (failed) std::rethrow_exception(failed);
        return std::move(result.value());
    }
}

}  // namespace test
