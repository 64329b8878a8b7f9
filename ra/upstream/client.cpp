#include "ra/upstream/client.h"

#include <algorithm>

namespace ra::upstream {

using gateway::Answered;
using gateway::SubmitResult;
using gateway::UpstreamMessage;

namespace {

SubmitResult as_result(Sent sent, std::size_t url) {
    if (auto* delivered = std::get_if<Delivered>(&sent))
        return Answered{std::move(delivered->der), static_cast<std::uint8_t>(url)};
    if (auto* rejected = std::get_if<RejectedByTransport>(&sent)) return std::move(*rejected);
    if (const auto* not_sent = std::get_if<NotSent>(&sent)) return *not_sent;
    return std::get<Unknown>(sent);
}

/// Not sent for a reason of ours: it tells nothing of the URL.
bool is_our_doing(const NotSent& not_sent) noexcept {
    return not_sent.why == "busy" || not_sent.why == "closed";
}

}  // namespace

Client::Client(std::vector<Courier*> couriers, const Clock& clock, ClientSettings settings)
    : clock_{clock}, settings_{settings} {
    for (Courier* courier : couriers) urls_.emplace_back(*courier, settings.breaker);
}

void Client::succeeded(Url& url) noexcept {
    if (url.breaker.state() != Breaker::State::closed) url.health.down.subtract();
    url.breaker.succeeded();
}

void Client::failed(Url& url) noexcept {
    const Breaker::State before = url.breaker.state();
    url.breaker.failed(clock_.boot_now());
    url.health.failures.add();
    if (before == url.breaker.state()) return;
    url.health.opened.add();
    if (before == Breaker::State::closed) url.health.down.add();
}

void Client::note(Url& url, const Sent& sent) noexcept {
    if (const auto* not_sent = std::get_if<NotSent>(&sent)) {
        if (is_our_doing(*not_sent)) return url.breaker.forget();
        return failed(url);
    }
    if (std::holds_alternative<Unknown>(sent)) return failed(url);
    const auto* rejected = std::get_if<RejectedByTransport>(&sent);
    // An answer of any other kind is the word of a CA that lives.
    if (rejected != nullptr && rejected->status >= 502 && rejected->status <= 504)
        return failed(url);
    succeeded(url);
}

asio::awaitable<SubmitResult> Client::deliver(std::size_t url, const Delivery& delivery) {
    struct OnItsWay {
        std::size_t& count;
        explicit OnItsWay(std::size_t& of) noexcept : count{++of} {}
        OnItsWay(const OnItsWay&) = delete;
        OnItsWay& operator=(const OnItsWay&) = delete;
        ~OnItsWay() { --count; }
    };
    const OnItsWay on_its_way{on_their_way_};
    Sent sent = co_await urls_[url].courier.send(delivery);
    note(urls_[url], sent);
    co_return as_result(std::move(sent), url);
}

asio::awaitable<SubmitResult> Client::submit(UpstreamMessage message) {
    if (on_their_way_ >= settings_.concurrent) {
        turned_away_.add();
        co_return NotSent{"busy"};
    }
    Delivery delivery;
    delivery.der = message.der;
    delivery.label = message.label;
    delivery.operation = message.operation;
    delivery.deadline = message.deadline;
    if (settings_.answer_time.count() > 0)
        delivery.deadline = std::min(message.deadline, clock_.boot_now() + settings_.answer_time);
    delivery.trace = message.trace;
    delivery.repeatable = settings_.resend_identical || !cmp::is_state_changing(message.type);

    // A follow-up begins where its transaction did, and ends there unless the nodes share it.
    const std::size_t first = message.url.value_or(0);
    const bool pinned = message.url.has_value() && !settings_.shared_state;
    if (first >= urls_.size()) co_return NotSent{"url"};
    SubmitResult last = NotSent{"circuit open"};
    const std::size_t tries = pinned ? 1 : urls_.size();
    for (std::size_t i = 0; i < tries; ++i) {
        const std::size_t url = (first + i) % urls_.size();
        if (!urls_[url].breaker.admit(clock_.boot_now())) {
            urls_[url].health.failed_over.add();
            continue;
        }
        last = co_await deliver(url, delivery);
        if (!std::holds_alternative<NotSent>(last)) break;
        if (i + 1 < tries) urls_[url].health.failed_over.add();
    }
    co_return last;
}

asio::awaitable<void> Client::probe() {
    for (Url& url : urls_) {
        const BootTime now = clock_.boot_now();
        if (url.breaker.state() == Breaker::State::closed || !url.breaker.admit(now)) continue;
        const bool reached = co_await url.courier.probe(now + settings_.probe_time);
        if (reached) {
            succeeded(url);
        } else {
            failed(url);
        }
    }
}

asio::awaitable<SubmitResult> Local::submit(UpstreamMessage message) {
    Arrival arrival;
    arrival.der = to_bytes(message.der);
    arrival.label = std::string(message.label);
    arrival.advised = message.operation;
    arrival.deadline = message.deadline;
    arrival.trace = message.trace;
    Reply reply = co_await exchange_.exchange(std::move(arrival));
    if (auto* answer = std::get_if<Answer>(&reply)) co_return Answered{std::move(answer->der), 0};
    if (auto* not_cmp = std::get_if<NotCmp>(&reply))
        co_return RejectedByTransport{400, std::move(not_cmp->der)};
    if (std::holds_alternative<Overloaded>(reply)) co_return NotSent{"busy"};
    co_return Unknown{"no answer"};
}

}  // namespace ra::upstream
