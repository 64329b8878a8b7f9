#include "ra/store/memory_inventory.h"

#include <utility>

namespace ra::store {

/// Issuer and serial number name a certificate; the Name TLV says where it ends.
crypto::Sha256 MemoryInventory::name_of(ByteView issuer, ByteView serial) {
    return crypto::sha256(issuer, serial);
}

std::optional<MemoryInventory::Entry> MemoryInventory::find(const crypto::Sha256& key) {
    const std::lock_guard lock{mutex_};
    if (const Entry* const known = keys_.find(key); known != nullptr) return *known;
    return std::nullopt;
}

std::optional<policy::KeyHolder> MemoryInventory::holder(const crypto::Sha256& key) const {
    const std::lock_guard lock{mutex_};
    if (const Entry* const known = keys_.peek(key); known != nullptr) return known->holder;
    return std::nullopt;
}

template <class Value>
MemoryInventory::Gone MemoryInventory::next_to_go(const crypto::Lru<Value>& among, bool is_new) {
    const crypto::Sha256* const gone = is_new ? among.next_to_go() : nullptr;
    return gone != nullptr ? Gone{*gone} : std::nullopt;
}

std::optional<MemoryInventory::Gone> MemoryInventory::put(const crypto::Sha256& key,
                                                          std::uint64_t version,
                                                          policy::KeyHolder&& holder) {
    const std::lock_guard lock{mutex_};
    const Entry* const known = keys_.find(key);
    if ((known == nullptr ? 0 : known->version) != version) return std::nullopt;
    const Gone gone = next_to_go(keys_, known == nullptr);
    keys_.put(key, Entry{std::move(holder), ++last_version_});
    return gone;
}

MemoryInventory::Gone MemoryInventory::add(const crypto::Sha256& certificate, WallTime until) {
    const std::lock_guard lock{mutex_};
    const Gone gone = next_to_go(revoked_, revoked_.find(certificate) == nullptr);
    revoked_.put(certificate, until);
    revoked_count_ = revoked_.size();
    return gone;
}

std::optional<WallTime> MemoryInventory::revoked_until(const crypto::Sha256& certificate) const {
    const std::lock_guard lock{mutex_};
    if (const WallTime* const until = revoked_.peek(certificate); until != nullptr) return *until;
    return std::nullopt;
}

bool MemoryInventory::is_revoked(ByteView issuer, ByteView serial) const {
    if (revoked_count_ == 0) return false;
    const crypto::Sha256 name = name_of(issuer, serial);
    const std::lock_guard lock{mutex_};
    return revoked_.find(name) != nullptr;
}

MemoryInventory::Sizes MemoryInventory::sizes() const {
    const std::lock_guard lock{mutex_};
    return {keys_.size(), revoked_.size()};
}

asio::awaitable<std::optional<MemoryInventory::Entry>> MemoryInventory::find_key(
    const crypto::Sha256& key) {
    co_return find(key);
}

asio::awaitable<bool> MemoryInventory::put_key(const crypto::Sha256& key, std::uint64_t version,
                                               policy::KeyHolder holder) {
    co_return put(key, version, std::move(holder)).has_value();
}

asio::awaitable<void> MemoryInventory::add_revoked(ByteView issuer, ByteView serial,
                                                   WallTime until) {
    add(name_of(issuer, serial), until);  // the oldest make room
    co_return;
}

}  // namespace ra::store
