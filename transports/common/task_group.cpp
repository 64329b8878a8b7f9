#include "transports/common/task_group.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <utility>

#include "transports/common/byte_stream.h"

namespace transports::common {

namespace asio = boost::asio;

TaskGroup::~TaskGroup() {
    while (first_ != nullptr) delete std::exchange(first_, first_->next);
}

TaskGroup::Task* TaskGroup::add(std::string_view name) {
    auto* const task = new Task{name, nullptr, nullptr, nullptr, nullptr, first_};
    if (first_ != nullptr) first_->previous = task;
    first_ = task;
    ++size_;
    return task;
}

void TaskGroup::spawn(std::string_view name, asio::awaitable<void> task) {
    Task* const entry = add(name);
    entry->signal = std::make_unique<asio::cancellation_signal>();
    asio::co_spawn(context_, std::move(task),
                   asio::bind_cancellation_slot(entry->signal->slot(),
                                                [this, entry](std::exception_ptr fault) {
                                                    ended(entry, std::move(fault));
                                                }));
}

void TaskGroup::spawn_session(std::string_view name, std::unique_ptr<ByteStream> stream,
                              asio::awaitable<void> task, const void* owner) {
    Task* const entry = add(name);
    entry->owner = owner;
    entry->stream = std::move(stream);
    asio::co_spawn(context_, std::move(task),
                   [this, entry](std::exception_ptr fault) { ended(entry, std::move(fault)); });
}

void TaskGroup::abandon() noexcept {
    for (Task* task = first_; task != nullptr; task = task->next) task->stream.reset();
}

void TaskGroup::ended(Task* task, std::exception_ptr fault) noexcept {
    if (task->previous != nullptr) task->previous->next = task->next;
    if (task->next != nullptr) task->next->previous = task->previous;
    if (first_ == task) first_ = task->next;
    const std::string_view name = task->name;
    delete task;
    --size_;
    if (fault && log_) log_(name, std::move(fault));
    if (size_ == 0 && when_empty_) when_empty_();
}

/// Ends a session that waits for a request, in its own way if it has one.
void TaskGroup::end_idle(Task& task) noexcept {
    if (task.stream == nullptr) return;
    if (Drainable* session = task.stream->drainable()) {
        session->drain();
    } else if (task.stream->idle()) {
        task.stream->close();
    }
}

void TaskGroup::close_idle(const void* owner) noexcept {
    for (Task* task = first_; task != nullptr; task = task->next) {
        if (task->owner == owner) end_idle(*task);
    }
}

void TaskGroup::drain() noexcept {
    draining_ = true;
    for (Task* task = first_; task != nullptr; task = task->next) {
        end_idle(*task);
    }
}

void TaskGroup::cancel() noexcept {
    draining_ = true;
    for (Task* task = first_; task != nullptr;) {
        Task* const following = task->next;  // a cancelled task may end inside emit()
        if (task->stream != nullptr) task->stream->close();
        if (task->signal != nullptr) task->signal->emit(asio::cancellation_type::terminal);
        task = following;
    }
}

}  // namespace transports::common
