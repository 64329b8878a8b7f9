#include "ra/app/file_upstream.h"

#include <algorithm>

#include "transports/common/wakeup.h"

namespace ra::app {

using gateway::SubmitResult;
using std::chrono::milliseconds;
using transports::file::Found;
using transports::file::Made;

asio::awaitable<SubmitResult> FileUpstream::submit(gateway::UpstreamMessage message) {
    const std::string ticket{message.ticket};
    if (ticket.empty()) co_return NotSent{"ticket"};
    Made made = Made::fault;
    const bool ran = co_await cpu_.run([&] { made = spool_->put(ticket, message.der); });
    if (!ran) co_return NotSent{"busy"};
    // A name is of one message: what is there is this one, put there before.
    if (made == Made::fault) co_return NotSent{"spool"};

    const BootTime until = std::min(message.deadline, BootClock::now() + patience_);
    milliseconds pause{50};
    for (;;) {
        SubmitResult result = co_await look(ticket);
        if (std::holds_alternative<gateway::Answered>(result)) co_return result;
        const BootTime next = BootClock::now() + pause;
        if (next >= until) co_return gateway::Pending{};
        transports::common::Wakeup wakeup{worker_};
        (void)co_await wakeup.wait(next);
        pause = std::min(pause * 2, milliseconds{500});
    }
}

asio::awaitable<SubmitResult> FileUpstream::collect(std::string_view ticket) {
    return look(std::string(ticket));
}

asio::awaitable<SubmitResult> FileUpstream::look(std::string ticket) {
    Found found;
    bool waiting = false;
    const bool ran = co_await cpu_.run([&] {
        found = spool_->collect(ticket);
        waiting = spool_->is_waiting(ticket);
    });
    if (!ran) co_return gateway::Pending{};
    switch (found.kind) {
        case Found::Kind::octets:
            co_return gateway::Answered{std::move(found.octets), 0};
        case Found::Kind::refused:
            report(ticket, found.why);
            co_return gateway::Pending{};
        case Found::Kind::unfinished:
            co_return gateway::Pending{};
        case Found::Kind::none:
            break;
    }
    if (waiting) co_return gateway::Pending{};
    co_return Unknown{"carried away"};  // or never put there
}

asio::awaitable<void> FileUpstream::settle(std::string_view ticket, std::string_view refused_by) {
    const std::string file{ticket};
    const std::string why{refused_by};
    (void)co_await cpu_.run([&] {
        why.empty() ? spool_->forget(file) : spool_->refuse(file, "refused by rule " + why);
    });
    if (!why.empty()) report(file, "refused by rule " + why);
}

void FileUpstream::report(const std::string& file, std::string_view why) {
    log_.write(
        Log::Level::warning, "file-failed",
        {{"upstream", std::string_view{name_}}, {"file", std::string_view{file}}, {"detail", why}});
}

}  // namespace ra::app
