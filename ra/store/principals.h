#pragma once

#include <array>
#include <atomic>
#include <mutex>
#include <optional>
#include <string_view>
#include <variant>

#include "policy/stages.h"
#include "ra/base/keyed_hash.h"
#include "ra/store/table.h"

namespace ra::store {

/// How much of the store each principal uses (S-03, S-05): whoever Record::payer names.
/// Thread-safe; may be called with a shard's lock held.
class Principals {
public:
    /// Names a principal that uses something; 32 bits, so that a replay entry can afford it.
    using Ref = std::uint32_t;

    /// How much one principal may have, and all those together that nobody verified (S-10).
    struct Bounds {
        std::size_t open = 0, kept = 0;
        std::size_t opaque_open = 0, opaque_kept = 0;
    };
    Principals(const KeyedHash& hash, const Bounds& bounds) noexcept
        : hash_{hash}, bounds_{bounds} {}

    /// Room for one open transaction and its later replay entry, or the bound that forbids it. A
    /// principal is verified or opaque, never now this and now that.
    [[nodiscard]] std::variant<Ref, std::string_view> reserve(const policy::Principal& principal,
                                                              bool opaque);
    /// The same, whatever the bounds: it is there already.
    [[nodiscard]] Ref restore(const policy::Principal& principal, bool opaque);
    /// Its transaction ended; the replay entry remains.
    void close(Ref ref) noexcept;
    /// The replay entry is gone too.
    void forget(Ref ref) noexcept;

    [[nodiscard]] std::size_t size() const;

private:
    [[nodiscard]] std::variant<Ref, std::string_view> reserve(const policy::Principal& principal,
                                                              bool opaque, const Bounds& bounds);
    struct Use {
        policy::Principal principal;
        std::uint64_t digest_hash = 0;
        std::uint32_t open = 0;
        std::uint32_t kept = 0;  // open ones and replay entries
        Index next = kNone;
        bool opaque = false;
        [[nodiscard]] std::uint64_t hash() const noexcept { return digest_hash; }
    };
    static constexpr std::size_t kShardBits = 4;
    static constexpr std::size_t kShards = std::size_t{1} << kShardBits;
    struct alignas(64) Shard {
        mutable std::mutex mutex;
        Table<Use> uses;
    };

    const KeyedHash& hash_;
    Bounds bounds_;
    std::atomic<std::size_t> opaque_open_{0}, opaque_kept_{0};
    std::array<Shard, kShards> shards_;
};

}  // namespace ra::store
