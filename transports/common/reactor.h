#pragma once

#include <sys/epoll.h>

#include <array>
#include <cstdint>
#include <span>

namespace transports::common {

/// Tells many sockets when they become ready: epoll, edge-triggered. Each is registered once, so
/// that a wait costs no system call. Not thread-safe.
class Reactor {
public:
    /// A socket that wants to be told; base of a stream. Is forgotten when it is destroyed.
    class Watch {
    public:
        Watch() = default;
        Watch(const Watch&) = delete;
        Watch& operator=(const Watch&) = delete;

    protected:
        ~Watch() { forget(); }
        /// No more news; before the descriptor is closed.
        void forget() noexcept;

    private:
        friend class Reactor;
        /// `events`: of epoll_wait(2). May forget or destroy any watch, itself included.
        virtual void ready(std::uint32_t events) noexcept = 0;
        /// Its worker ends: it will not be ready any more.
        virtual void abandoned() noexcept = 0;

        Reactor* reactor_ = nullptr;
        Watch* previous_ = nullptr;
        Watch* next_ = nullptr;
    };

    /// Throws std::system_error.
    Reactor();
    Reactor(const Reactor&) = delete;
    Reactor& operator=(const Reactor&) = delete;
    ~Reactor();

    /// Readable while dispatch() has something to do.
    [[nodiscard]] int descriptor() const noexcept { return epoll_; }

    /// Until `socket` is closed; what it is ready for already is told by the next dispatch().
    /// False: the kernel has no room for it.
    [[nodiscard]] bool add(int socket, Watch& watch) noexcept;

    /// Tells a bounded number of those that are ready.
    void dispatch() noexcept;

    /// Tells every watch, and watches none any more.
    void abandon() noexcept;

private:
    int epoll_;
    Watch* first_ = nullptr;
    std::array<epoll_event, 128> events_{};
    std::span<epoll_event> pending_;  // of events_, not told yet
};

}  // namespace transports::common
