#include "ra/store/principals.h"

#include <limits>

namespace ra::store {

std::variant<Principals::Ref, std::string_view> Principals::reserve(
    const policy::Principal& principal) {
    return reserve(principal, max_open_, max_kept_);
}

Principals::Ref Principals::restore(const policy::Principal& principal) {
    constexpr std::size_t kAny = std::numeric_limits<std::size_t>::max();
    return std::get<Ref>(reserve(principal, kAny, kAny));
}

std::variant<Principals::Ref, std::string_view> Principals::reserve(
    const policy::Principal& principal, std::size_t max_open, std::size_t max_kept) {
    const std::uint64_t hash = hash_(principal.digest);
    const std::size_t number = hash >> (64 - kShardBits);
    Shard& shard = shards_[number];
    const std::lock_guard lock{shard.mutex};

    Index at = shard.uses.first(hash);
    while (at != kNone && !(shard.uses[at].principal == principal)) at = shard.uses[at].next;
    if (at == kNone) {
        if (max_open == 0 || max_kept == 0) return std::string_view{"open per principal"};
        at = shard.uses.take();
        shard.uses[at].principal = principal;
        shard.uses[at].digest_hash = hash;
        shard.uses.link(at);
    }
    Use& use = shard.uses[at];
    if (use.open >= max_open) return std::string_view{"open per principal"};
    if (use.kept >= max_kept) return std::string_view{"remembered per principal"};
    ++use.open;
    ++use.kept;
    return static_cast<Ref>(at << kShardBits | number);
}

void Principals::close(Ref ref) noexcept {
    Shard& shard = shards_[ref % kShards];
    const std::lock_guard lock{shard.mutex};
    --shard.uses[ref >> kShardBits].open;
}

void Principals::forget(Ref ref) noexcept {
    Shard& shard = shards_[ref % kShards];
    const std::lock_guard lock{shard.mutex};
    const Index at = ref >> kShardBits;
    if (--shard.uses[at].kept == 0) shard.uses.erase(at);
}

std::size_t Principals::size() const {
    std::size_t total = 0;
    for (const Shard& shard : shards_) {
        const std::lock_guard lock{shard.mutex};
        total += shard.uses.size();
    }
    return total;
}

}  // namespace ra::store
