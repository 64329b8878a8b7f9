#include "transports/common/reactor.h"

#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace transports::common {

Reactor::Reactor() : epoll_{::epoll_create1(EPOLL_CLOEXEC)} {
    if (epoll_ < 0) throw std::system_error{errno, std::generic_category(), "epoll_create1"};
}

Reactor::~Reactor() {
    while (first_ != nullptr) first_->forget();
    ::close(epoll_);
}

bool Reactor::add(int socket, Watch& watch) noexcept {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    event.data.ptr = &watch;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, socket, &event) != 0) return false;
    watch.reactor_ = this;
    watch.next_ = first_;
    if (first_ != nullptr) first_->previous_ = &watch;
    first_ = &watch;
    return true;
}

void Reactor::Watch::forget() noexcept {
    if (reactor_ == nullptr) return;
    (previous_ != nullptr ? previous_->next_ : reactor_->first_) = next_;
    if (next_ != nullptr) next_->previous_ = previous_;
    // What the kernel has reported already must not reach a watch that is gone.
    for (epoll_event& event : reactor_->pending_) {
        if (event.data.ptr == this) event.data.ptr = nullptr;
    }
    reactor_ = nullptr;
    previous_ = next_ = nullptr;
}

void Reactor::dispatch() noexcept {
    const int count = ::epoll_wait(epoll_, events_.data(), static_cast<int>(events_.size()), 0);
    if (count <= 0) return;
    pending_ = std::span{events_}.first(static_cast<std::size_t>(count));
    while (!pending_.empty()) {
        const epoll_event event = pending_.front();
        pending_ = pending_.subspan(1);
        if (event.data.ptr != nullptr) static_cast<Watch*>(event.data.ptr)->ready(event.events);
    }
}

void Reactor::abandon() noexcept {
    while (first_ != nullptr) {
        Watch& watch = *first_;
        watch.forget();
        watch.abandoned();
    }
}

}  // namespace transports::common
