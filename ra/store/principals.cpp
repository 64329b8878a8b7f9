#include "ra/store/principals.h"

#include <limits>

namespace ra::store {

std::variant<Principals::Ref, std::string_view> Principals::reserve(
    const policy::Principal& principal, bool opaque) {
    return reserve(principal, opaque, bounds_);
}

Principals::Ref Principals::restore(const policy::Principal& principal, bool opaque) {
    constexpr std::size_t kAny = std::numeric_limits<std::size_t>::max();
    return std::get<Ref>(reserve(principal, opaque, Bounds{kAny, kAny, kAny, kAny}));
}

std::variant<Principals::Ref, std::string_view> Principals::reserve(
    const policy::Principal& principal, bool opaque, const Bounds& bounds) {
    const std::uint64_t hash = hash_(principal.digest);
    const std::size_t number = hash >> (64 - kShardBits);
    Shard& shard = shards_[number];
    const std::lock_guard lock{shard.mutex};

    Index at = shard.uses.first(hash);
    while (at != kNone && !(shard.uses[at].principal == principal)) at = shard.uses[at].next;
    if (at == kNone) {
        if (bounds.open == 0 || bounds.kept == 0) return std::string_view{"open per principal"};
        if (opaque && (bounds.opaque_open == 0 || bounds.opaque_kept == 0))
            return std::string_view{"opaque open"};
        at = shard.uses.take();
        shard.uses[at].principal = principal;
        shard.uses[at].digest_hash = hash;
        shard.uses[at].opaque = opaque;
        shard.uses.link(at);
    }
    Use& use = shard.uses[at];
    if (use.open >= bounds.open) return std::string_view{"open per principal"};
    if (use.kept >= bounds.kept) return std::string_view{"remembered per principal"};
    if (use.opaque) {
        const bool fits_open = ++opaque_open_ <= bounds.opaque_open;
        const bool fits_kept = ++opaque_kept_ <= bounds.opaque_kept;
        if (!fits_open || !fits_kept) {
            --opaque_open_;
            --opaque_kept_;
            if (use.kept == 0) shard.uses.erase(at);
            return fits_open ? std::string_view{"opaque remembered"}
                             : std::string_view{"opaque open"};
        }
    }
    ++use.open;
    ++use.kept;
    return static_cast<Ref>(at << kShardBits | number);
}

void Principals::close(Ref ref) noexcept {
    Shard& shard = shards_[ref % kShards];
    const std::lock_guard lock{shard.mutex};
    Use& use = shard.uses[ref >> kShardBits];
    --use.open;
    if (use.opaque) --opaque_open_;
}

void Principals::forget(Ref ref) noexcept {
    Shard& shard = shards_[ref % kShards];
    const std::lock_guard lock{shard.mutex};
    const Index at = ref >> kShardBits;
    if (shard.uses[at].opaque) --opaque_kept_;
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
