#include "ra/store/memory_inventory.h"

#include <utility>

namespace ra::store {
namespace {

/// Issuer and serial number name a certificate; the Name TLV says where it ends.
crypto::Sha256 name_of(ByteView issuer, ByteView serial) { return crypto::sha256(issuer, serial); }

}  // namespace

std::optional<MemoryInventory::Entry> MemoryInventory::find(const crypto::Sha256& key) {
    const std::lock_guard lock{mutex_};
    if (const Entry* const known = keys_.find(key); known != nullptr) return *known;
    return std::nullopt;
}

bool MemoryInventory::put(const crypto::Sha256& key, std::uint64_t version,
                          policy::KeyHolder&& holder) {
    const std::lock_guard lock{mutex_};
    const Entry* const known = keys_.find(key);
    if ((known == nullptr ? 0 : known->version) != version) return false;
    keys_.put(key, Entry{std::move(holder), ++last_version_});
    return true;
}

void MemoryInventory::add(ByteView issuer, ByteView serial) {
    const crypto::Sha256 name = name_of(issuer, serial);
    const std::lock_guard lock{mutex_};
    revoked_.put(name, {});
    revoked_count_ = revoked_.size();
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
    co_return put(key, version, std::move(holder));
}

asio::awaitable<void> MemoryInventory::add_revoked(ByteView issuer, ByteView serial,
                                                   WallTime /*until*/) {
    add(issuer, serial);  // the oldest make room
    co_return;
}

}  // namespace ra::store
