#pragma once

#include <atomic>
#include <mutex>
#include <variant>

#include "ra/crypto/lru.h"
#include "ra/gateway/ports.h"

namespace ra::store {

/// Bounds of the memory inventory.
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

private:
    std::optional<Entry> find(const crypto::Sha256& key);
    bool put(const crypto::Sha256& key, std::uint64_t version, policy::KeyHolder&& holder);
    void add(ByteView issuer, ByteView serial);

    mutable std::mutex mutex_;
    crypto::Lru<Entry> keys_;
    mutable crypto::Lru<std::monostate> revoked_;
    std::uint64_t last_version_ = 0;
    std::atomic<std::size_t> revoked_count_{0};
};

}  // namespace ra::store
