#include "transports/http1/pooled_courier.h"

#include <utility>

#include "transports/common/wakeup.h"

namespace transports::http1 {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::seconds kIdleCheck{1};

}  // namespace

/// A delivery in the queue for a connection.
struct PooledCourier::Waiter {
    explicit Waiter(common::Worker& worker) noexcept : wakeup{worker} {}
    common::Wakeup wakeup;
    bool granted = false;  // a permit was handed over
};

/// The right to hold a connection.
class PooledCourier::Permit {
public:
    explicit Permit(PooledCourier& of) noexcept : courier_{of} {}
    Permit(const Permit&) = delete;
    Permit& operator=(const Permit&) = delete;
    ~Permit() { courier_.release(); }

private:
    PooledCourier& courier_;
};

PooledCourier::PooledCourier(common::Worker& worker, PoolSettings settings,
                             HttpClientCounters& counters)
    : worker_{worker},
      max_connections_{settings.max_connections},
      max_waiting_{settings.max_waiting},
      idle_time_{settings.idle_time},
      counters_{counters},
      dialer_{worker, std::move(settings.dial), counters} {}

asio::awaitable<ra::Sent> PooledCourier::send(ra::Delivery delivery) {
    counters_.deliveries.add();
    ra::Sent sent = co_await deliver(delivery);
    counters_.ended(sent);
    co_return sent;
}

asio::awaitable<ra::Sent> PooledCourier::deliver(const ra::Delivery& delivery) {
    if (closed_) co_return ra::NotSent{"closed"};
    if (ra::BootClock::now() >= delivery.deadline) co_return ra::NotSent{"deadline"};
    if (in_use_ >= max_connections_ && waiting_.size() >= max_waiting_) {
        co_return ra::NotSent{"busy"};
    }
    if (in_use_ < max_connections_ && waiting_.empty()) {
        ++in_use_;
    } else {
        const bool granted = co_await acquire(delivery.deadline);
        if (!granted) co_return ra::NotSent{"busy"};
    }
    const Permit permit{*this};

    bool touched = false;  // octets left on an earlier try
    StreamPtr stream = take_idle();
    for (;;) {
        const bool pooled = stream != nullptr;
        if (pooled) {
            counters_.reused.add();
        } else {
            Dialer::Dialed dialed = co_await dialer_.dial(delivery.deadline);
            if (dialed.stream == nullptr) {
                if (touched) co_return ra::Unknown{"reset"};
                co_return ra::NotSent{dialed.why, std::move(dialed.detail)};
            }
            counters_.open.add();
            stream = std::move(dialed.stream);
        }
        Attempt tried = co_await attempt(*stream, delivery);
        if (tried.reusable) {
            keep(std::move(stream));
            co_return std::move(tried.sent);
        }
        drop(std::exchange(stream, nullptr));
        // The peer may have closed a pooled connection while our octets were on their way.
        const bool again = tried.untouched || (tried.silent && delivery.repeatable);
        if (!pooled || !again) {
            if (touched && tried.untouched) co_return ra::Unknown{"reset"};
            co_return std::move(tried.sent);
        }
        touched = !tried.untouched;
        counters_.retried.add();
    }
}

asio::awaitable<bool> PooledCourier::probe(ra::Deadline until) {
    if (closed_ || in_use_ >= max_connections_) co_return false;
    ++in_use_;
    const Permit permit{*this};
    Dialer::Dialed dialed = co_await dialer_.dial(until);
    if (dialed.stream == nullptr) co_return false;
    adopt(std::move(dialed.stream));
    co_return true;
}

asio::awaitable<bool> PooledCourier::acquire(ra::BootTime until) {
    Waiter waiter{worker_};
    waiting_.push_back(&waiter);
    counters_.waiting.add();
    (void)co_await waiter.wakeup.wait(until);
    counters_.waiting.subtract();
    // A permit may have been handed over in the moment the deadline passed.
    if (!waiter.granted) std::erase(waiting_, &waiter);
    co_return waiter.granted;
}

void PooledCourier::release() noexcept {
    if (waiting_.empty()) {
        --in_use_;
        return;
    }
    Waiter& next = *waiting_.front();
    waiting_.pop_front();
    next.granted = true;
    next.wakeup.notify();
}

PooledCourier::StreamPtr PooledCourier::take_idle() noexcept {
    while (!idle_.empty()) {
        StreamPtr stream = std::move(idle_.back().stream);
        idle_.pop_back();
        // Closed meanwhile, or octets nobody asked for: not to be taken for an answer (S-04).
        if (stream->quiet()) return stream;
        counters_.stale.add();
        drop(std::move(stream));
    }
    return nullptr;
}

void PooledCourier::keep(StreamPtr stream) {
    if (closed_) return drop(std::move(stream));
    const auto now = ra::BootClock::now();
    idle_.push_back({std::move(stream), now});
    if (!armed()) worker_.arm(*this, now + kIdleCheck);
}

void PooledCourier::drop(StreamPtr stream) noexcept {
    if (stream == nullptr) return;
    stream->close();
    counters_.open.subtract();
}

void PooledCourier::expired() noexcept {
    const auto now = ra::BootClock::now();
    std::deque<Idle> kept;
    for (Idle& one : idle_) {
        const bool old = now - one.since >= idle_time_;
        if (!old && one.stream->quiet()) {
            kept.push_back(std::move(one));
            continue;
        }
        if (!old) counters_.stale.add();
        drop(std::move(one.stream));
    }
    idle_ = std::move(kept);
    if (!idle_.empty()) worker_.arm(*this, now + kIdleCheck);
}

void PooledCourier::set_tls(common::TlsContextPtr tls) {
    if (tls == dialer_.tls()) return;
    dialer_.set_tls(std::move(tls));
    while (!idle_.empty()) {
        drop(std::move(idle_.back().stream));
        idle_.pop_back();
    }
}

void PooledCourier::adopt(std::unique_ptr<common::ByteStream> stream) {
    counters_.open.add();
    keep(std::move(stream));
}

void PooledCourier::close() noexcept {
    closed_ = true;
    while (!idle_.empty()) {
        drop(std::move(idle_.back().stream));
        idle_.pop_back();
    }
    for (Waiter* waiter : std::exchange(waiting_, {})) waiter->wakeup.notify();
}

}  // namespace transports::http1
