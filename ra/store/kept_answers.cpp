#include "ra/store/kept_answers.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace ra::store {

KeptAnswers::Ticket KeptAnswers::keep(std::uint64_t owner, ByteView answer) {
    if (answer.size() > capacity_ || answer.size() > std::numeric_limits<std::uint32_t>::max())
        return kNone;
    const std::lock_guard lock{mutex_};
    const auto ticket = static_cast<Ticket>(oldest_ + entries_.size());
    if (ticket == kNone) {  // one in 2^32 is not kept
        entries_.push_back({owner, end_, 0, true});
        return kNone;
    }
    if (arena_ == nullptr) arena_ = std::make_unique_for_overwrite<std::uint8_t[]>(capacity_);
    while (used_ + answer.size() > capacity_) pop_oldest();

    entries_.push_back({owner, end_, static_cast<std::uint32_t>(answer.size()), false});
    const ByteView head = answer.first(std::min(answer.size(), capacity_ - end_));
    const ByteView tail = answer.subspan(head.size());
    std::copy(head.begin(), head.end(), arena_.get() + end_);
    std::copy(tail.begin(), tail.end(), arena_.get());
    end_ = tail.empty() ? end_ + head.size() : tail.size();
    used_ += answer.size();
    octets_ += answer.size();
    return ticket;
}

std::shared_ptr<const Bytes> KeptAnswers::find(std::uint64_t owner, Ticket ticket) const {
    if (ticket == kNone) return nullptr;
    const std::lock_guard lock{mutex_};
    const Entry* const entry = entry_of(owner, ticket);
    if (entry == nullptr) return nullptr;
    const std::size_t size = std::min<std::size_t>(entry->size, capacity_ - entry->begin);
    Bytes answer{arena_.get() + entry->begin, arena_.get() + entry->begin + size};
    answer.insert(answer.end(), arena_.get(), arena_.get() + (entry->size - size));
    return std::make_shared<const Bytes>(std::move(answer));
}

void KeptAnswers::drop(std::uint64_t owner, Ticket ticket) noexcept {
    if (ticket == kNone) return;
    const std::lock_guard lock{mutex_};
    const Entry* const entry = entry_of(owner, ticket);
    if (entry == nullptr) return;
    octets_ -= entry->size;
    entries_[static_cast<Ticket>(ticket - oldest_)].dropped = true;
    while (!entries_.empty() && entries_.front().dropped) pop_oldest();
}

const KeptAnswers::Entry* KeptAnswers::entry_of(std::uint64_t owner, Ticket ticket) const noexcept {
    const auto index = static_cast<Ticket>(ticket - oldest_);
    if (index >= entries_.size()) return nullptr;
    const Entry& entry = entries_[index];
    return entry.owner == owner && !entry.dropped ? &entry : nullptr;
}

void KeptAnswers::pop_oldest() noexcept {
    const Entry& entry = entries_.front();
    if (!entry.dropped) octets_ -= entry.size;
    used_ -= entry.size;
    entries_.pop_front();
    ++oldest_;
}

}  // namespace ra::store
