#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <stdexcept>
#include <vector>

#include "ra/store/memory.h"
#include "ra/store/secret_table.h"
#include "ra/store/shard.h"

namespace ra::store {

/// Version of what never changes again.
inline constexpr std::uint64_t kSettled = ~std::uint64_t{0};

/// The memory store without coroutines. Order of locks: a shard, then a principal's, the
/// secrets' or that of kept answers.
class Memory::Impl {
public:
    Impl(const Clock& clock, Random& random, const MemorySettings& settings)
        : clock_{clock},
          settings_{settings},
          hash_{random},
          second_{random},
          principals_{hash_, bounds(settings)},
          secrets_{settings.secrets},
          made_{clock.boot_now()},
          shards_(settings.shards) {
        if (!std::has_single_bit(settings.shards)) {
            throw std::invalid_argument{"store: shards must be a power of two"};
        }
        // Each holds the largest answer there is (1 MiB), unless the whole is less.
        constexpr std::size_t kLeast = 1UL << 20, kMost = 16;
        const std::size_t parts =
            std::bit_floor(std::clamp<std::size_t>(settings.kept_octets / kLeast, 1, kMost));
        for (std::size_t i = 0; i < parts; ++i)
            kept_.push_back(std::make_unique<KeptAnswers>(settings.kept_octets / parts));
    }

    std::optional<gateway::Versioned> find(const gateway::TransactionKey& key);
    std::vector<gateway::Versioned> find_claims(ByteView transaction_id);
    gateway::BeginResult begin(const gateway::TransactionKey& key, gateway::Record&& record);
    /// `leased`: by whom holds the lease, which this ends.
    gateway::AdvanceResult advance(const gateway::TransactionKey& key, std::uint64_t version,
                                   gateway::Record&& record, bool leased);
    gateway::AdvanceResult release(const gateway::TransactionKey& key, std::uint64_t version,
                                   bool leased);
    bool lease(const gateway::TransactionKey& key, std::uint64_t version);
    void settle_leased(const gateway::TransactionKey& key, gateway::Record& record);
    void restore(const gateway::TransactionKey& key, gateway::Record&& record);
    WatchId watch(const gateway::TransactionKey& key, std::uint64_t version,
                  std::function<void()>&& changed);
    void unwatch(const gateway::TransactionKey& key, WatchId id) noexcept;
    Sizes sizes() const;
    void sweep(std::size_t most);
    SecretTable& secrets() noexcept { return secrets_; }
    std::vector<Expired> take_expired();

private:
    Shard& shard_of(std::uint64_t id_hash) noexcept {
        return shards_[std::rotl(id_hash, 16) & (shards_.size() - 1)];
    }
    [[nodiscard]] static Principals::Bounds bounds(const MemorySettings& settings) noexcept {
        const auto share = [&settings](std::size_t all) {
            return static_cast<std::size_t>(static_cast<double>(all) * settings.opaque_percent /
                                            100);
        };
        return {settings.open_per_principal, settings.remembered_per_principal,
                share(settings.open), share(settings.remembered)};
    }
    [[nodiscard]] std::uint32_t seconds(BootTime at) const noexcept;
    [[nodiscard]] Fingerprint fingerprint(const gateway::TransactionKey& key) const noexcept {
        return {hash_(key.principal.digest, key.transaction_id),
                second_(key.principal.digest, key.transaction_id)};
    }

    // All of these want the shard's lock held.
    Index find_open(Shard& shard, std::uint64_t id_hash, const gateway::TransactionKey& key,
                    BootTime now, Afterwards& after);
    Index find_remembered(Shard& shard, const Fingerprint& fingerprint, BootTime now);
    void end_expired(Shard& shard, Index at, BootTime now, Afterwards& after);
    void finish(Shard& shard, Index at, gateway::Record& last, BootTime now, Afterwards& after);
    void close(Shard& shard, Index at, Afterwards& after);
    void end_open(Open& open) noexcept;
    void lose(Open& open) noexcept;
    void forget(Shard& shard, Index at);
    void touch(Open& open, Afterwards& after);
    void settle_use(gateway::Record& was, gateway::Record& now) noexcept;
    [[nodiscard]] gateway::Versioned settled(const Remembered& entry) const;
    std::variant<Principals::Ref, std::string_view> reserve(const gateway::TransactionKey& key,
                                                            const gateway::Record& record,
                                                            std::size_t octets);
    Index add_open(Shard& shard, const gateway::TransactionKey& key, std::uint64_t id_hash,
                   gateway::Record&& record, std::size_t octets, Principals::Ref ref);

    [[nodiscard]] KeptAnswers& kept_of(const Fingerprint& fingerprint) const noexcept {
        return *kept_[fingerprint.first & (kept_.size() - 1)];
    }

    const Clock& clock_;
    const MemorySettings settings_;
    KeyedHash hash_, second_;
    Principals principals_;
    SecretTable secrets_;
    const BootTime made_;
    std::vector<Shard> shards_;
    std::vector<std::unique_ptr<KeptAnswers>> kept_;  // a power of two, so that workers seldom meet
    std::atomic<std::size_t> open_{0}, open_octets_{0}, remembered_{0}, watches_{0};
    std::atomic<std::size_t> sweeping_{0};
    std::atomic<bool> collect_expired_{false};
    std::mutex expired_mutex_;
    std::vector<Expired> expired_;
};

}  // namespace ra::store
