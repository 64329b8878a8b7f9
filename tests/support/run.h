#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <optional>
#include <type_traits>

namespace test {

/// Runs a coroutine that needs no world to its end, on an io_context of its own.
template <class T>
T run(boost::asio::awaitable<T> work) {
    boost::asio::io_context io;
    std::exception_ptr failed;
    if constexpr (std::is_void_v<T>) {
        boost::asio::co_spawn(io, std::move(work), [&](std::exception_ptr e) { failed = e; });
        io.run();
        if (failed) std::rethrow_exception(failed);
    } else {
        std::optional<T> result;
        boost::asio::co_spawn(io, std::move(work), [&](std::exception_ptr e, T value) {
            failed = e;
            if (!e) result.emplace(std::move(value));
        });
        io.run();
        if (failed) std::rethrow_exception(failed);
        return std::move(result.value());
    }
}

}  // namespace test
