#include "ra/labca/transactions.h"

namespace ra::labca {

Transactions::Claim Transactions::begin(ByteView transaction_id, BootTime until, BootTime now) {
    const std::lock_guard lock{lock_};
    expire(now);
    const Bytes key = to_bytes(transaction_id);
    if (open_.contains(key)) return Claim::in_use;
    if (open_.size() >= most_) return Claim::full;
    open_.emplace(key, Entry{until, std::nullopt});
    ends_.emplace(until, key);
    return Claim::begun;
}

std::optional<Transaction> Transactions::find(ByteView transaction_id, BootTime now) {
    const std::lock_guard lock{lock_};
    expire(now);
    const auto found = open_.find(to_bytes(transaction_id));
    if (found == open_.end()) return std::nullopt;
    return found->second.waiting;
}

Transactions::Taken Transactions::take(ByteView transaction_id, const Principal& principal,
                                       ByteView our_nonce, Transaction& into) {
    const std::lock_guard lock{lock_};
    const auto found = open_.find(to_bytes(transaction_id));
    if (found == open_.end() || !found->second.waiting) return Taken::gone;
    if (found->second.waiting->principal != principal) return Taken::foreign;
    if (!equal(found->second.waiting->our_nonce, our_nonce)) return Taken::wrong_nonce;
    into = std::move(*found->second.waiting);
    found->second.waiting.reset();
    return Taken::taken;
}

void Transactions::put(ByteView transaction_id, Transaction transaction) {
    const std::lock_guard lock{lock_};
    const auto found = open_.find(to_bytes(transaction_id));
    if (found != open_.end()) found->second.waiting = std::move(transaction);
}

void Transactions::end(ByteView transaction_id) {
    const std::lock_guard lock{lock_};
    const auto found = open_.find(to_bytes(transaction_id));
    if (found == open_.end()) return;
    ends_.erase({found->second.until, found->first});
    open_.erase(found);
}

std::size_t Transactions::size() const {
    const std::lock_guard lock{lock_};
    return open_.size();
}

void Transactions::expire(BootTime now) {
    while (!ends_.empty() && ends_.begin()->first <= now) {
        open_.erase(ends_.begin()->second);
        ends_.erase(ends_.begin());
    }
}

}  // namespace ra::labca
