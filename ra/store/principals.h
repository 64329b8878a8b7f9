#pragma once

#include <array>
#include <mutex>
#include <optional>
#include <string_view>
#include <variant>

#include "policy/stages.h"
#include "ra/store/keyed_hash.h"
#include "ra/store/table.h"

namespace ra::store {

/// How much of the store each principal uses (S-03, S-05). Thread-safe; may be called with a
/// shard's lock held.
class Principals {
public:
    /// Names a principal that uses something; 32 bits, so that a replay entry can afford it.
    using Ref = std::uint32_t;

    Principals(const KeyedHash& hash, std::size_t max_open, std::size_t max_kept) noexcept
        : hash_{hash}, max_open_{max_open}, max_kept_{max_kept} {}

    /// Room for one open transaction and its later replay entry, or the bound that forbids it.
    [[nodiscard]] std::variant<Ref, std::string_view> reserve(const policy::Principal& principal);
    /// The same, whatever the bounds: it is there already.
    [[nodiscard]] Ref restore(const policy::Principal& principal);
    /// Its transaction ended; the replay entry remains.
    void close(Ref ref) noexcept;
    /// The replay entry is gone too.
    void forget(Ref ref) noexcept;

    [[nodiscard]] std::size_t size() const;

private:
    [[nodiscard]] std::variant<Ref, std::string_view> reserve(const policy::Principal& principal,
                                                              std::size_t max_open,
                                                              std::size_t max_kept);
    struct Use {
        policy::Principal principal;
        std::uint64_t digest_hash = 0;
        std::uint32_t open = 0;
        std::uint32_t kept = 0;  // open ones and replay entries
        Index next = kNone;
        [[nodiscard]] std::uint64_t hash() const noexcept { return digest_hash; }
    };
    static constexpr std::size_t kShardBits = 4;
    static constexpr std::size_t kShards = std::size_t{1} << kShardBits;
    struct alignas(64) Shard {
        mutable std::mutex mutex;
        Table<Use> uses;
    };

    const KeyedHash& hash_;
    std::size_t max_open_, max_kept_;
    std::array<Shard, kShards> shards_;
};

}  // namespace ra::store
