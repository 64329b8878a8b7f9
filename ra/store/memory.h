#pragma once

#include <atomic>
#include <memory>

#include "ra/base/random.h"
#include "ra/gateway/ports.h"

namespace ra::store {

class SecretTable;
struct SecretFigures;

/// Bounds of the memory store; what each costs at most is said beside it.
struct MemorySettings {
    std::size_t open = 65'536;              // open transactions, ~0.5 KiB each besides their octets
    std::size_t open_per_principal = 256;   // S-03
    std::size_t open_octets = 512UL << 20;  // requests and answers of open transactions
    std::size_t remembered = 1UL << 20;     // open ones and replay entries, 64 octets each (S-05)
    std::size_t remembered_per_principal = 16'384;
    unsigned opaque_percent = 50;         // of open and remembered, for what nobody verified (S-10)
    std::size_t kept_octets = 4UL << 20;  // answers of finished transactions; oldest go first
    std::size_t watches_per_record = 8;
    std::size_t secrets = 100'000;  // ~0.3 KiB each
    std::size_t shards = 64;        // a power of two
};

/// Transactions in memory: a crash forgets all of them, and with them what was sent upstream (S-04)
/// and what must not come again (S-05). For the demo, tests, and where that is acceptable.
///
/// Thread-safe. A shard's lock is held for a lookup only; callbacks and destructors of octets run
/// outside it. An open transaction past `expires` ends by itself: one that was in flight as
/// outcome_unknown, others as finished, and is remembered until `remember_until` like any other.
/// A finished record is kept as a replay entry: find() yields state, request_digest,
/// remember_until and the answer, if still kept; the other fields are empty, and it never changes
/// again. `upstream` stays what begin() claimed.
class Memory final : public gateway::Store, public gateway::Secrets {
public:
    /// `clock` outlives this; `random` is used for the keys of hashes, here only.
    Memory(const Clock& clock, Random& random, MemorySettings settings = {});
    ~Memory() override;

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
    /// For a store that writes down what this one holds. lease(): from now on only the functions
    /// below change the record, and it does not expire; false: it is not at `version`, or leased.
    [[nodiscard]] bool lease(const gateway::TransactionKey& key, std::uint64_t version);
    gateway::AdvanceResult advance_leased(const gateway::TransactionKey& key, std::uint64_t version,
                                          gateway::Record record);
    gateway::AdvanceResult release_leased(const gateway::TransactionKey& key,
                                          std::uint64_t version);
    /// Settles the use `record` holds as advance_leased() will, before it, and says so in `record`.
    void settle_leased(const gateway::TransactionKey& key, gateway::Record& record);
    [[nodiscard]] SecretTable& secrets() noexcept;
    [[nodiscard]] SecretFigures secret_figures(WallTime now) const;
    /// Transactions that expired while they held a use of a secret, as they ended, since this was
    /// asked last; from the first time on they are collected.
    struct Expired {
        gateway::TransactionKey key;
        gateway::Record record;
    };
    [[nodiscard]] std::vector<Expired> take_expired();
    /// Puts back what an earlier process held; bounds do not refuse it, they only count it. The
    /// older come first. Nothing happens if the key is there.
    void restore(const gateway::TransactionKey& key, gateway::Record record);

    WatchId watch(const gateway::TransactionKey& key, std::uint64_t version,
                  std::function<void()> changed) override;
    void unwatch(const gateway::TransactionKey& key, WatchId id) noexcept override;
    /// `kept_octets`: kept answers, and requests and answers of open transactions.
    [[nodiscard]] Sizes sizes() const override;

    asio::awaitable<std::optional<gateway::KnownSecret>> find_secret(ByteView reference) override;
    asio::awaitable<Added> add_secret(gateway::NewSecret secret) override;
    asio::awaitable<std::vector<gateway::SecretInfo>> list_secrets() override;
    asio::awaitable<bool> revoke_secret(ByteView reference) override;
    asio::awaitable<bool> lock_secret(ByteView reference, std::uint64_t generation) override;

    /// Ends and forgets what is due, looking at no more than about `most` records and going on
    /// there next time. Call it several times a second: what is not swept is not found either, but
    /// still counts against the bounds. 10 ns a record.
    void sweep(std::size_t most = 65'536);

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace ra::store
