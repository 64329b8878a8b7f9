#include "ra/labca/ledger.h"

namespace ra::labca {

bool Ledger::add(Entry entry) {
    const std::lock_guard lock{lock_};
    if (entries_.size() >= most_) return false;
    by_serial_.emplace(entry.serial, entries_.size());
    entries_.push_back(std::move(entry));
    return true;
}

Ledger::Status Ledger::status(ByteView serial) const {
    const std::lock_guard lock{lock_};
    const auto found = by_serial_.find(to_bytes(serial));
    if (found == by_serial_.end()) return Status::unknown;
    return entries_[found->second].revoked ? Status::revoked : Status::good;
}

Ledger::Status Ledger::revoke(ByteView serial, WallTime when, int reason) {
    const std::lock_guard lock{lock_};
    const auto found = by_serial_.find(to_bytes(serial));
    if (found == by_serial_.end()) return Status::unknown;
    Entry& entry = entries_[found->second];
    if (entry.revoked) return Status::revoked;
    entry.revoked = true;
    revocations_.list.push_back({entry.serial, when, reason});
    ++revocations_.number;
    return Status::good;
}

std::size_t Ledger::size() const {
    const std::lock_guard lock{lock_};
    return entries_.size();
}

std::vector<Ledger::Entry> Ledger::entries() const {
    const std::lock_guard lock{lock_};
    return entries_;
}

Ledger::Revocations Ledger::revocations() const {
    const std::lock_guard lock{lock_};
    return revocations_;
}

}  // namespace ra::labca
