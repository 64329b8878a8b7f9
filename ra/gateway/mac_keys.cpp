#include "ra/gateway/mac_keys.h"

#include "ra/crypto/digest.h"

namespace ra::gateway {

MacKeys::Id MacKeys::id_of(const SecretUse& secret, ByteView transaction_id) {
    Bytes id = to_bytes(secret.reference);
    for (unsigned shift = 0; shift < 64; shift += 8)
        id.push_back(static_cast<std::uint8_t>(secret.generation >> shift));
    return crypto::sha256(id, transaction_id);
}

VerifiedMacPtr MacKeys::find(const SecretUse& secret, ByteView transaction_id, ByteView algorithm) {
    const Id id = id_of(secret, transaction_id);
    const std::lock_guard guard{mutex_};
    const auto at = entries_.find(id);
    if (at == entries_.end() || at->second.until <= clock_.boot_now()) return nullptr;
    return equal(at->second.mac->algorithm, algorithm) ? at->second.mac : nullptr;
}

void MacKeys::keep(const SecretUse& secret, ByteView transaction_id, VerifiedMacPtr mac,
                   BootTime until) {
    const Id id = id_of(secret, transaction_id);
    std::vector<VerifiedMacPtr> gone;  // wiped outside the lock
    const BootTime now = clock_.boot_now();
    const std::lock_guard guard{mutex_};
    Entry& entry = entries_[id];
    gone.push_back(std::exchange(entry.mac, std::move(mac)));
    entry.until = until;
    entry.number = ++last_number_;
    order_.emplace_back(entry.number, id);
    while (!order_.empty()) {
        const auto& [number, oldest] = order_.front();
        const auto at = entries_.find(oldest);
        const bool stale = at == entries_.end() || at->second.number != number;
        if (!stale && at->second.until > now && entries_.size() <= most_ &&
            order_.size() <= 2 * most_)
            break;
        if (!stale) {
            gone.push_back(std::move(at->second.mac));
            entries_.erase(at);
        }
        order_.pop_front();
    }
}

void MacKeys::drop(const SecretUse& secret, ByteView transaction_id) {
    const Id id = id_of(secret, transaction_id);
    VerifiedMacPtr gone;
    const std::lock_guard guard{mutex_};
    const auto at = entries_.find(id);
    if (at == entries_.end()) return;
    gone = std::move(at->second.mac);
    entries_.erase(at);
}

std::size_t MacKeys::size() const {
    const std::lock_guard guard{mutex_};
    return entries_.size();
}

}  // namespace ra::gateway
