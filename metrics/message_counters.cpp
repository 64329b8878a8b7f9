#include "metrics/message_counters.h"

#include <algorithm>

namespace metrics {
namespace {

constexpr std::array<std::string_view, kDecisions> kNames{"forwarded", "repeated", "refused",
                                                          "failed", "other"};

}  // namespace

std::string_view to_string(Decision decision) noexcept {
    return kNames[static_cast<std::size_t>(decision)];
}

Decision decision_of(std::string_view name) noexcept {
    for (std::size_t i = 0; i + 1 < kDecisions; ++i) {
        if (kNames[i] == name) return static_cast<Decision>(i);
    }
    return Decision::other;
}

void Histogram::observe(std::chrono::nanoseconds duration) noexcept {
    const auto nanoseconds =
        static_cast<std::uint64_t>(duration.count() < 0 ? 0 : duration.count());
    std::size_t bucket = 0;
    while (bucket < kBounds.size() && nanoseconds > kBounds[bucket] * 1000) ++bucket;
    buckets_[bucket].add();
    sum_.add(nanoseconds);
}

void RuleCounts::add(std::string_view rule) noexcept {
    for (Slot& slot : slots_) {
        const char* name = slot.name.load(std::memory_order_relaxed);
        if (name == nullptr) {
            slot.size = rule.size();
            slot.name.store(rule.data(), std::memory_order_release);
            slot.count.add();
            return;
        }
        if ((name == rule.data() && slot.size == rule.size()) ||
            std::string_view{name, slot.size} == rule) {
            slot.count.add();
            return;
        }
    }
    overflow_.add();
}

std::vector<RuleCounts::Row> RuleCounts::rows() const {
    std::vector<Row> rows;
    for (const Slot& slot : slots_) {
        const char* name = slot.name.load(std::memory_order_acquire);
        if (name == nullptr) break;
        rows.push_back({{name, slot.size}, slot.count.get()});
    }
    if (const std::uint64_t others = overflow_.get(); others != 0)
        rows.push_back({"other", others});
    return rows;
}

void MessageCounters::make_room(std::size_t listeners) {
    while (owned_.size() < std::min(listeners, kMostListeners)) {
        owned_.push_back(std::make_unique<Listener>());
        listeners_[owned_.size() - 1].store(owned_.back().get(), std::memory_order_release);
    }
}

void MessageCounters::count(const Message& message) noexcept {
    if (Listener* const found = listener_at(message.listener); found != nullptr) {
        Listener& listener = *found;
        const std::size_t operation =
            message.operation < kOperations ? message.operation : kUnparsed;
        listener.messages[operation][static_cast<std::size_t>(message.decision)].add();
        listener.in.add(message.octets_in);
        listener.out.add(message.octets_out);
    }
    if (!message.rule.empty()) rules_.add(message.rule);
    total_.observe(message.total);
    if (message.upstream_wait.count() > 0) upstream_wait_.observe(message.upstream_wait);
    for (std::size_t i = 0; i < kStages; ++i) {
        if (message.stages[i].count() > 0) stages_[i].observe(message.stages[i]);
    }
    if (message.decision == Decision::forwarded && !message.verified) unverified_.add();
    if (message.possibly_issued) possibly_issued_.add();
}

}  // namespace metrics
