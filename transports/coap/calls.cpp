#include "transports/coap/calls.h"

#include <algorithm>
#include <ranges>

namespace transports::coap {

Calls::MessageKey::MessageKey(const Endpoint& endpoint, std::uint16_t id,
                              ra::ByteView token) noexcept {
    constexpr std::size_t kTokenAt = 23;
    constexpr std::size_t kMostToken = 8;
    std::copy(endpoint.octets.begin(), endpoint.octets.end(), octets.begin());
    octets[20] = static_cast<std::uint8_t>(id >> 8U);
    octets[21] = static_cast<std::uint8_t>(id);
    octets[22] = static_cast<std::uint8_t>(token.size());
    std::copy_n(token.begin(), std::min(token.size(), kMostToken), octets.begin() + kTokenAt);
}

bool Calls::has_room(const Endpoint& from) const {
    if (open_ >= limits_.open) return false;
    const auto found = by_endpoint_.find(from);
    return found == by_endpoint_.end() || found->second.open < limits_.open_of_one;
}

CallId Calls::begin(Call call, std::uint16_t message_id, ra::BootTime now) {
    const CallId id = ++last_;
    call.id = id;
    if (!call.reliable) {
        const MessageKey key{call.from, message_id, call.token};
        if (seen_.size() >= limits_.seen) {
            seen_.erase(seen_order_.front().key);
            seen_order_.pop_front();
        }
        seen_order_.push_back({key, now});
        seen_[key] = id;
    }
    OfOne& of_one = by_endpoint_[call.from];
    const bool full = of_one.calls.size() >= limits_.kept_of_one;
    of_one.calls.push_back(&calls_.emplace(id, std::move(call)).first->second);
    ++of_one.open;
    ++open_;
    if (!full) return id;
    const auto oldest = std::find_if(of_one.calls.begin(), of_one.calls.end(),
                                     [](const Call* one) { return one->answered; });
    if (oldest != of_one.calls.end()) drop((*oldest)->id);
    return id;
}

Call* Calls::find(CallId id) noexcept {
    const auto found = calls_.find(id);
    return found == calls_.end() ? nullptr : &found->second;
}

void Calls::answered(CallId id, ra::BootTime now) {
    Call& call = calls_.at(id);
    call.answered = true;
    --open_;
    --by_endpoint_.at(call.from).open;
    kept_octets_ += call.content.size();
    if (kept_.size() > 2 * calls_.size() + 64)
        std::erase_if(kept_, [this](const auto& one) { return !calls_.contains(one.key); });
    kept_.push_back({id, now});
    while (kept_octets_ > limits_.kept_octets && kept_.size() > 1) {
        const CallId oldest = kept_.front().key;
        kept_.pop_front();
        drop(oldest);
    }
}

void Calls::drop(CallId id) {
    const auto found = calls_.find(id);
    if (found == calls_.end()) return;
    const auto of_one = by_endpoint_.find(found->second.from);
    std::erase(of_one->second.calls, &found->second);
    if (of_one->second.calls.empty()) by_endpoint_.erase(of_one);
    kept_octets_ -= found->second.content.size();
    calls_.erase(found);
}

void Calls::forget(const Endpoint& from) {
    const auto found = by_endpoint_.find(from);
    if (found == by_endpoint_.end()) return;
    const std::vector<Call*> all = found->second.calls;
    for (const Call* one : all) {
        if (one->answered) drop(one->id);
    }
}

void Calls::expire(ra::BootTime now) {
    while (!kept_.empty() &&
           (now - kept_.front().since >= kLifetime || !calls_.contains(kept_.front().key))) {
        drop(kept_.front().key);
        kept_.pop_front();
    }
    while (!seen_order_.empty() && now - seen_order_.front().since >= kLifetime) {
        seen_.erase(seen_order_.front().key);
        seen_order_.pop_front();
    }
}

Calls::Seen Calls::seen(const Request& request) {
    if (request.reliable) return {};
    const auto found = seen_.find(MessageKey{request.from, request.message_id, request.token});
    if (found == seen_.end()) return {};
    return {true, find(found->second)};
}

Call* Calls::answer_for(const Request& request, const std::string& path) {
    const auto found = by_endpoint_.find(request.from);
    if (found == by_endpoint_.end()) return nullptr;
    Call* latest = nullptr;
    for (Call* const one : found->second.calls | std::views::reverse) {
        Call& call = *one;
        if (!call.answered) continue;
        if (ra::equal(call.token, request.token) && call.path == path) return &call;
        if (latest == nullptr && ra::equal(call.request_tag, request.request_tag) &&
            call.path == path)
            latest = &call;
    }
    return latest;
}

std::size_t Calls::undelivered() const noexcept {
    return static_cast<std::size_t>(std::count_if(
        calls_.begin(), calls_.end(),
        [](const auto& one) { return one.second.answered && !one.second.delivered; }));
}

}  // namespace transports::coap
