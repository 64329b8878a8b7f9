#pragma once

#include <atomic>
#include <mutex>

#include "ra/crypto/lru.h"
#include "ra/gateway/ports.h"

namespace ra::store {

/// Bounds of the inventory.
struct InventorySettings {
    std::size_t keys = 65'536;     // certified keys, ~0.4 KiB each
    std::size_t revoked = 16'384;  // revoked certificates, ~0.2 KiB each
};

/// Keys and revocations in memory, the ones used least recently forgotten first: a restart forgets
/// them, and with them whose keys were certified before it. Thread-safe; nothing but a lookup
/// happens under the lock.
class MemoryInventory final : public gateway::Inventory {
public:
    explicit MemoryInventory(const InventorySettings& settings = {})
        : keys_{settings.keys}, revoked_{settings.revoked} {}

    asio::awaitable<std::optional<Entry>> find_key(const crypto::Sha256& key) override;
    asio::awaitable<bool> put_key(const crypto::Sha256& key, std::uint64_t version,
                                  policy::KeyHolder holder) override;
    asio::awaitable<void> add_revoked(ByteView issuer, ByteView serial, WallTime until) override;
    [[nodiscard]] bool is_revoked(ByteView issuer, ByteView serial) const override;
    [[nodiscard]] Sizes sizes() const override;

    /// For who writes it down (SqliteInventory). A certificate is named by digest.
    [[nodiscard]] static crypto::Sha256 name_of(ByteView issuer, ByteView serial);
    [[nodiscard]] std::optional<policy::KeyHolder> holder(const crypto::Sha256& key) const;
    /// What had to go to make room.
    using Gone = std::optional<crypto::Sha256>;
    /// nullopt: the entry is not at `version`.
    [[nodiscard]] std::optional<Gone> put(const crypto::Sha256& key, std::uint64_t version,
                                          policy::KeyHolder&& holder);
    Gone add(const crypto::Sha256& certificate, WallTime until);
    /// Until when a revoked certificate is remembered; nullopt: it is not.
    [[nodiscard]] std::optional<WallTime> revoked_until(const crypto::Sha256& certificate) const;

private:
    [[nodiscard]] std::optional<Entry> find(const crypto::Sha256& key);
    template <class Value>
    static Gone next_to_go(const crypto::Lru<Value>& among, bool is_new);

    mutable std::mutex mutex_;
    crypto::Lru<Entry> keys_;
    mutable crypto::Lru<WallTime> revoked_;
    std::uint64_t last_version_ = 0;
    std::atomic<std::size_t> revoked_count_{0};
};

}  // namespace ra::store
