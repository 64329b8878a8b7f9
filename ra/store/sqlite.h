#pragma once

#include "ra/store/journal.h"
#include "ra/store/memory.h"
#include "ra/store/rows.h"
#include "ra/store/sqlite_inventory.h"

namespace ra::store {

struct SqliteSettings {
    MemorySettings memory;
    InventorySettings inventory;
    JournalSettings journal;
};

/// Transactions in memory, and on a disk what a crash must not make forgotten: every state is read
/// from memory; a change that matters is written down, and only then seen by anybody.
///
/// What is written, and waited for, in transactions whose request changes something (S-04):
///   - the intent, when begun: before an octet of it can leave upstream;
///   - every state with an answer, before the answer leaves; the end, with its replay digest;
///   - in the ledger, in the same commit, what may have been issued without anybody having it.
/// What is not: a certConf or pollReq on its way (sent again after a crash it changes nothing, and
/// the state before it is on the disk), and transactions that change nothing (genm, nested, …):
/// after a crash they are as if they had never been.
///
/// Secrets are written before whoever made, revoked or locked one is told; a use with the answer it
/// was for. A crash can only use up one more, never one less (S-23). After a restored backup those
/// of limited use are locked: nobody knows which of them were used.
///
/// After a crash an intent without answer is outcome_unknown: never sent again, in the ledger. Rows
/// that are no longer as they were written are alarmed and left out; then, and after a restored
/// backup, begin() refuses for a while ("replay fence"), since nobody knows what is missing.
///
/// When the disk refuses, begin() does (Full{"disk"}); what has happened already is answered, kept
/// in memory and written as soon as the disk takes it.
///
/// Thread-safe like Memory; run() wants a thread of its own, until stop().
class Sqlite final : public gateway::Store, public gateway::Secrets {
public:
    /// Opens the database and recovers. `key`: store.key, 32 octets. `clock` outlives this, as does
    /// `random`, which only the thread of run() uses from then on. Throws std::runtime_error.
    Sqlite(SqliteSettings settings, Secret key, const Clock& clock, Random& random);

    asio::awaitable<std::optional<gateway::Versioned>> find(
        const gateway::TransactionKey& key) override;
    asio::awaitable<std::vector<gateway::Versioned>> find_claims(ByteView transaction_id) override;
    asio::awaitable<gateway::BeginResult> begin(const gateway::TransactionKey& key,
                                                gateway::Record record) override;
    asio::awaitable<gateway::AdvanceResult> advance(const gateway::TransactionKey& key,
                                                    std::uint64_t version,
                                                    gateway::Record record) override;
    asio::awaitable<gateway::AdvanceResult> release(const gateway::TransactionKey& key,
                                                    std::uint64_t version) override;
    WatchId watch(const gateway::TransactionKey& key, std::uint64_t version,
                  std::function<void()> changed) override {
        return memory_.watch(key, version, std::move(changed));
    }
    void unwatch(const gateway::TransactionKey& key, WatchId id) noexcept override {
        memory_.unwatch(key, id);
    }
    [[nodiscard]] Sizes sizes() const override;

    asio::awaitable<std::optional<gateway::KnownSecret>> find_secret(ByteView reference) override {
        return memory_.find_secret(reference);
    }
    asio::awaitable<Added> add_secret(gateway::NewSecret secret) override;
    asio::awaitable<std::vector<gateway::SecretInfo>> list_secrets() override {
        return memory_.list_secrets();
    }
    asio::awaitable<bool> revoke_secret(ByteView reference) override;
    [[nodiscard]] SecretFigures secret_figures(WallTime now) const;
    asio::awaitable<bool> lock_secret(ByteView reference, std::uint64_t generation) override;

    /// Keys and revocations, in the same file.
    [[nodiscard]] gateway::Inventory& inventory() noexcept { return inventory_; }

    /// An entry of the ledger goes: somebody has seen to it. False: there is none with this id;
    /// nullopt: the disk does not take it now.
    asio::awaitable<std::optional<bool>> clear_orphan(std::int64_t id);

    /// Ends what is due. Call it several times a second.
    void sweep();

    void run() { journal_.run(); }
    void stop() { journal_.stop(); }
    /// Instead of run(), in tests.
    bool pump() { return journal_.pump(); }

    [[nodiscard]] Journal::Figures figures() const noexcept { return journal_.figures(); }
    /// Intents without answer that this start found.
    [[nodiscard]] std::size_t in_doubt() const noexcept { return in_doubt_; }
    [[nodiscard]] std::uint64_t epoch() const noexcept { return journal_.epoch(); }

private:
    void recover();
    [[nodiscard]] Fingerprint name(const gateway::TransactionKey& key) const noexcept {
        return {first_(key.principal.digest, key.transaction_id),
                second_(key.principal.digest, key.transaction_id)};
    }
    [[nodiscard]] Write row(const gateway::TransactionKey& key,
                            const gateway::Record& record) const;
    [[nodiscard]] Write secret_row(const crypto::Sha256& reference);
    [[nodiscard]] Write ledger(const gateway::TransactionKey& key, const gateway::Record& record,
                               std::string_view why) const;

    const Clock& clock_;
    crypto::Sealer sealer_;
    KeyedHash first_, second_;
    Memory memory_;
    Journal journal_;
    SqliteInventory inventory_;
    std::size_t in_doubt_ = 0;
};

/// The ledger of possibly issued certificates in the store at `path`, oldest first; a gateway may
/// be running on it. Throws std::runtime_error: it cannot be read, `key` is not its own, or an
/// entry was changed.
[[nodiscard]] std::vector<Orphan> read_orphans(const std::string& path, Secret key);

}  // namespace ra::store
