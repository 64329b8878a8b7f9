#pragma once

#include "ra/store/journal.h"
#include "ra/store/memory_inventory.h"

namespace ra::store {

/// The inventory in memory, and on the store's disk: a restart knows whose keys were certified
/// (S-14) and which certificates were revoked through here (S-33).
///
/// What changes is written with the next group of the journal and waited for by nobody: the
/// transaction it belongs to writes its own end afterwards, in that group or a later one, and only
/// then is anybody told. So it costs no sync of its own, and what a device has been told is on the
/// disk. Whoever sees it before sees at worst a key that a crash sets free again, with a
/// certificate that nobody got.
class SqliteInventory final : public gateway::Inventory {
public:
    /// `journal` and the hashes outlive it.
    SqliteInventory(const InventorySettings& settings, Journal& journal, const KeyedHash& first,
                    const KeyedHash& second);

    /// Before the journal runs: takes what there is, forgets what is beyond its bounds by now.
    void recover();

    asio::awaitable<std::optional<Entry>> find_key(const crypto::Sha256& key) override;
    asio::awaitable<bool> put_key(const crypto::Sha256& key, std::uint64_t version,
                                  policy::KeyHolder holder) override;
    asio::awaitable<void> add_revoked(ByteView issuer, ByteView serial, WallTime until) override;
    [[nodiscard]] bool is_revoked(ByteView issuer, ByteView serial) const override {
        return memory_.is_revoked(issuer, serial);
    }
    [[nodiscard]] Sizes sizes() const override { return memory_.sizes(); }

private:
    [[nodiscard]] Fingerprint name(const crypto::Sha256& digest) const noexcept {
        return {first_(digest, {}), second_(digest, {})};
    }
    [[nodiscard]] Write key_row(const crypto::Sha256& key);
    [[nodiscard]] Write revoked_row(const crypto::Sha256& certificate);

    Journal& journal_;
    const KeyedHash& first_;
    const KeyedHash& second_;
    MemoryInventory memory_;
};

}  // namespace ra::store
