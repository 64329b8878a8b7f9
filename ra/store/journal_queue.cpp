#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "ra/store/journal.h"

namespace ra::store {
namespace {

constexpr std::chrono::seconds kWakeEvery{1};  // to try again, and to tidy up

}  // namespace

void Journal::write_now(Change change) {
    std::vector<Entry> entries;
    entries.push_back({std::move(change), Need::claim, nullptr});
    if (!commit(entries)) throw DatabaseFault{0, settings_.path + ": recovery cannot be written"};
}

asio::awaitable<bool> Journal::write(Change change, Need need) {
    const auto executor = co_await asio::this_coro::executor;
    co_return co_await asio::async_initiate<decltype(asio::use_awaitable), void(bool)>(
        [&](auto handler) {
            // std::function wants copies; the handler has none.
            auto shared = std::make_shared<decltype(handler)>(std::move(handler));
            enqueue({std::move(change), need, [shared, executor](bool written) {
                         asio::post(executor, [shared, written] { std::move (*shared)(written); });
                     }});
        },
        asio::use_awaitable);
}

void Journal::write_later(Change change) { enqueue({std::move(change), Need::keep, nullptr}); }

std::string_view Journal::refuses() const noexcept {
    if (!writable_) return "disk";
    if (fence_until_ != 0 && time_.of(clock_.boot_now()) < fence_until_) return "replay fence";
    return {};
}

void Journal::enqueue(Entry entry) {
    {
        const std::lock_guard lock{mutex_};
        queue_.push_back(std::move(entry));
    }
    filled_.notify_one();
}

void Journal::run() {
    std::unique_lock lock{mutex_};
    while (true) {
        filled_.wait_for(lock, kWakeEvery, [this] { return stopping_ || !queue_.empty(); });
        if (queue_.empty() && stopping_) break;
        std::vector<Entry> entries;
        entries.swap(queue_);
        lock.unlock();
        process(std::move(entries));
        lock.lock();
    }
    lock.unlock();
    process({});
    if (guard_) guard_->write(mark_, true);
}

void Journal::stop() {
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
    }
    filled_.notify_all();
}

bool Journal::pump() {
    std::vector<Entry> entries;
    {
        const std::lock_guard lock{mutex_};
        entries.swap(queue_);
    }
    const bool any = !entries.empty() || !backlog_.empty();
    process(std::move(entries));
    return any;
}

void Journal::process(std::vector<Entry> entries) {
    const BootTime now = clock_.boot_now();
    // What could not be written goes first: a later state of the same row may be among `entries`.
    const bool retry = !backlog_.empty() && (!entries.empty() || now - retried_ >= kWakeEvery);
    if (retry) {
        retried_ = now;
        backlog_.insert(backlog_.end(), std::make_move_iterator(entries.begin()),
                        std::make_move_iterator(entries.end()));
        entries = std::exchange(backlog_, {});
    }
    if (!entries.empty()) {
        const bool written = commit(entries);
        if (written && !writable_.exchange(true)) alarm("it can be written again");
        for (Entry& entry : entries) {
            if (entry.done) std::exchange(entry.done, nullptr)(written);
            if (!written && entry.need == Need::keep) backlog_.push_back(std::move(entry));
        }
    }
    tidy();
}

}  // namespace ra::store
