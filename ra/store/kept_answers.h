#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>

#include "ra/base/bytes.h"

namespace ra::store {

/// Answers kept for repetition, in one arena that is filled round and round: the newest overwrites
/// the oldest. Octets are copied in and out, so that an answer costs no allocation while it is
/// kept, and all of them together never take more memory than `capacity`. Thread-safe.
class KeptAnswers {
public:
    /// Names an answer; a replay entry has 32 bits for it. Names come again after 2^32 answers,
    /// so each is looked up together with its owner.
    using Ticket = std::uint32_t;
    static constexpr Ticket kNone = 0xffffffff;

    explicit KeptAnswers(std::size_t capacity) noexcept : capacity_{capacity} {}

    /// kNone: too large for the arena.
    [[nodiscard]] Ticket keep(std::uint64_t owner, ByteView answer);
    /// A copy; null: overwritten since.
    [[nodiscard]] std::shared_ptr<const Bytes> find(std::uint64_t owner, Ticket ticket) const;
    /// It counts no more; its place is free once those before it have gone.
    void drop(std::uint64_t owner, Ticket ticket) noexcept;

    /// Octets of the answers that can be found.
    [[nodiscard]] std::size_t octets() const noexcept { return octets_; }

private:
    struct Entry {
        std::uint64_t owner = 0;
        std::size_t begin = 0;  // in the arena; it may go on at the arena's start
        std::uint32_t size = 0;
        bool dropped = false;
    };

    [[nodiscard]] const Entry* entry_of(std::uint64_t owner, Ticket ticket) const noexcept;
    void pop_oldest() noexcept;

    const std::size_t capacity_;
    mutable std::mutex mutex_;
    std::unique_ptr<std::uint8_t[]> arena_;  // made with the first answer, touched as it fills
    std::deque<Entry> entries_;              // in order of age
    Ticket oldest_ = 0;                      // of entries_.front()
    std::size_t end_ = 0;                    // where the next answer goes
    std::size_t used_ = 0;                   // from the oldest entry to the newest
    std::atomic<std::size_t> octets_{0};
};

}  // namespace ra::store
