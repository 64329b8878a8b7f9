#include "ra/upstream/client.h"

namespace ra::upstream {

using gateway::Answered;
using gateway::SubmitResult;
using gateway::UpstreamMessage;

namespace {

SubmitResult as_result(Sent sent, std::uint8_t url) {
    if (auto* delivered = std::get_if<Delivered>(&sent))
        return Answered{std::move(delivered->der), url};
    if (auto* rejected = std::get_if<RejectedByTransport>(&sent)) return std::move(*rejected);
    if (const auto* not_sent = std::get_if<NotSent>(&sent)) return *not_sent;
    return std::get<Unknown>(sent);
}

}  // namespace

asio::awaitable<SubmitResult> Client::submit(UpstreamMessage message) {
    Delivery delivery;
    delivery.der = message.der;
    delivery.label = message.label;
    delivery.operation = message.operation;
    delivery.deadline = message.deadline;
    delivery.trace = message.trace;
    delivery.repeatable = resend_identical_ || !cmp::is_state_changing(message.type);

    if (message.url) {
        if (*message.url >= couriers_.size()) co_return NotSent{"url"};
        Sent sent = co_await couriers_[*message.url]->send(delivery);
        co_return as_result(std::move(sent), *message.url);
    }
    SubmitResult last = NotSent{"url"};
    for (std::size_t url = 0; url < couriers_.size(); ++url) {
        Sent sent = co_await couriers_[url]->send(delivery);
        last = as_result(std::move(sent), static_cast<std::uint8_t>(url));
        if (!std::holds_alternative<NotSent>(last)) break;
    }
    co_return last;
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
