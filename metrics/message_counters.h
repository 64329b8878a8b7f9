#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "metrics/count.h"

namespace metrics {

/// PKIBody choices (their tag numbers), and one more for what did not parse.
inline constexpr std::size_t kOperations = 28;
inline constexpr std::size_t kUnparsed = 27;
/// Names of listeners one process may see over its reloads.
inline constexpr std::size_t kMostListeners = 64;

/// How a message ended.
enum class Decision : std::uint8_t { forwarded, repeated, refused, failed, other };
inline constexpr std::size_t kDecisions = 5;
[[nodiscard]] std::string_view to_string(Decision decision) noexcept;
/// "forwarded" and so on; `other` for what has no name here.
[[nodiscard]] Decision decision_of(std::string_view name) noexcept;

/// What the time of a message goes into (ra::gateway::Stage, in its order).
inline constexpr std::size_t kStages = 6;
inline constexpr std::array<std::string_view, kStages> kStageNames{"parse", "origin",   "decide",
                                                                   "store", "upstream", "answer"};

/// Durations counted into fixed buckets.
class Histogram {
public:
    /// Upper bounds in microseconds; the last bucket has none.
    static constexpr std::array<std::uint64_t, 15> kBounds{
        10,     50,     100,     250,     500,       1'000,      2'500,     5'000,
        10'000, 25'000, 100'000, 500'000, 2'500'000, 10'000'000, 60'000'000};

    void observe(std::chrono::nanoseconds duration) noexcept;
    [[nodiscard]] std::uint64_t bucket(std::size_t index) const noexcept {
        return buckets_[index].get();
    }
    [[nodiscard]] std::uint64_t sum_nanoseconds() const noexcept { return sum_.get(); }

private:
    std::array<Count, kBounds.size() + 1> buckets_;
    Count sum_;
};

/// Counts by rule name. Names are literals of this program, so their number is closed; what would
/// not fit is counted as "other". Written by one thread, read by any.
class RuleCounts {
public:
    /// `rule`: static storage.
    void add(std::string_view rule) noexcept;

    struct Row {
        std::string_view rule;
        std::uint64_t count = 0;
    };
    [[nodiscard]] std::vector<Row> rows() const;

private:
    static constexpr std::size_t kRules = 128;
    struct Slot {
        std::atomic<const char*> name{nullptr};  // published after `size`
        std::size_t size = 0;
        Count count;
    };
    std::array<Slot, kRules> slots_;
    Count overflow_;
};

/// What one worker counts of the messages it served. Only its thread writes; on cache lines of its
/// own.
class alignas(64) MessageCounters {
public:
    explicit MessageCounters(std::size_t listeners) { make_room(listeners); }

    /// Counts for that many listeners from now on, at most kMostListeners. On one thread at a time.
    void make_room(std::size_t listeners);

    struct Message {
        std::size_t listener = 0;
        std::size_t operation = kUnparsed;
        Decision decision = Decision::other;
        std::string_view rule;  // static storage; empty: none
        std::size_t octets_in = 0, octets_out = 0;
        std::chrono::nanoseconds total{}, upstream_wait{};
        std::array<std::chrono::nanoseconds, kStages> stages{};  // zero: not reached
        bool verified = false;
        bool possibly_issued = false;
    };
    void count(const Message& message) noexcept;

    [[nodiscard]] std::uint64_t messages(std::size_t listener, std::size_t operation,
                                         Decision decision) const noexcept {
        const Listener* const at = listener_at(listener);
        return at == nullptr ? 0
                             : at->messages[operation][static_cast<std::size_t>(decision)].get();
    }
    [[nodiscard]] std::uint64_t octets_in(std::size_t listener) const noexcept {
        const Listener* const at = listener_at(listener);
        return at == nullptr ? 0 : at->in.get();
    }
    [[nodiscard]] std::uint64_t octets_out(std::size_t listener) const noexcept {
        const Listener* const at = listener_at(listener);
        return at == nullptr ? 0 : at->out.get();
    }

    [[nodiscard]] const RuleCounts& rules() const noexcept { return rules_; }
    [[nodiscard]] const Histogram& total() const noexcept { return total_; }
    [[nodiscard]] const Histogram& upstream_wait() const noexcept { return upstream_wait_; }
    [[nodiscard]] const Histogram& stage(std::size_t index) const noexcept {
        return stages_[index];
    }
    [[nodiscard]] std::uint64_t unverified() const noexcept { return unverified_.get(); }
    [[nodiscard]] std::uint64_t possibly_issued() const noexcept { return possibly_issued_.get(); }

private:
    struct alignas(64) Listener {
        std::array<std::array<Count, kDecisions>, kOperations> messages;
        Count in, out;
    };
    [[nodiscard]] Listener* listener_at(std::size_t index) const noexcept {
        return index < kMostListeners ? listeners_[index].load(std::memory_order_acquire) : nullptr;
    }
    std::array<std::atomic<Listener*>, kMostListeners> listeners_{};  // published, never moved
    std::vector<std::unique_ptr<Listener>> owned_;
    RuleCounts rules_;
    Histogram total_;
    Histogram upstream_wait_;  // of messages that went upstream
    std::array<Histogram, kStages> stages_;
    Count unverified_;       // relayed as opaque (S-10)
    Count possibly_issued_;  // certificates that may exist unknown to their device (S-04)
};

}  // namespace metrics
