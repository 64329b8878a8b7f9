#include "ra/store/secret_table.h"

#include <algorithm>

#include "ra/crypto/digest.h"

namespace ra::store {

using gateway::KnownSecret;
using gateway::SecretInfo;
using gateway::Secrets;
using gateway::SecretUse;

namespace {

std::optional<std::uint32_t> left(std::optional<std::uint32_t> uses, std::uint32_t used,
                                  std::uint32_t reserved) {
    if (!uses) return std::nullopt;
    const std::uint32_t taken = used + reserved;
    return *uses > taken ? *uses - taken : 0;
}

constexpr std::size_t kCountedUnderOneLock = 512;

}  // namespace

std::optional<KnownSecret> SecretTable::find(ByteView reference) const {
    const crypto::Sha256 digest = crypto::sha256(reference);
    const std::lock_guard guard{mutex_};
    const auto at = entries_.find(digest);
    if (at == entries_.end()) return std::nullopt;
    const Entry& entry = at->second;
    KnownSecret known;
    known.octets = Secret{to_bytes(entry.secret.octets.reveal())};
    known.generation = entry.generation;
    known.profile = entry.secret.profile;
    known.expires = entry.secret.expires;
    known.uses_left = left(entry.secret.uses, entry.used, entry.reserved);
    known.reserved = entry.reserved;
    known.generated = entry.secret.generated;
    known.locked = entry.locked;
    return known;
}

Secrets::Added SecretTable::add(gateway::NewSecret&& secret) {
    const crypto::Sha256 digest = crypto::sha256(secret.reference);
    const std::lock_guard guard{mutex_};
    if (entries_.contains(digest)) return Secrets::Added::exists;
    if (entries_.size() >= most_) return Secrets::Added::full;
    Entry entry;
    entry.secret = std::move(secret);
    entry.generation = ++last_generation_;
    entries_.emplace(digest, std::move(entry));
    return Secrets::Added::added;
}

std::vector<SecretInfo> SecretTable::list() const {
    std::vector<SecretInfo> all;
    {
        const std::lock_guard guard{mutex_};
        all.reserve(entries_.size());
        for (const auto& [digest, entry] : entries_) {
            SecretInfo info;
            info.reference = entry.secret.reference;
            info.generation = entry.generation;
            info.profile = entry.secret.profile;
            info.created = entry.secret.created;
            info.expires = entry.secret.expires;
            info.uses = entry.secret.uses;
            info.used = entry.used;
            info.reserved = entry.reserved;
            info.generated = entry.secret.generated;
            info.locked = entry.locked;
            all.push_back(std::move(info));
        }
    }
    std::sort(all.begin(), all.end(),
              [](const SecretInfo& a, const SecretInfo& b) { return a.reference < b.reference; });
    return all;
}

SecretFigures SecretTable::figures(WallTime now) const {
    SecretFigures figures;
    crypto::Sha256 last{};
    for (bool more = true, begun = false; more; begun = true) {
        const std::lock_guard guard{mutex_};
        auto at = begun ? entries_.upper_bound(last) : entries_.begin();
        for (std::size_t n = 0; n < kCountedUnderOneLock && at != entries_.end(); ++n, ++at) {
            count(at->second, now, figures);
            last = at->first;
        }
        more = at != entries_.end();
    }
    return figures;
}

void SecretTable::count(const Entry& entry, WallTime now, SecretFigures& figures) noexcept {
    const std::optional<WallTime>& expires = entry.secret.expires;
    if (entry.locked) {
        ++figures.locked;
    } else if (expires && now >= *expires) {
        ++figures.expired;
    } else if (left(entry.secret.uses, entry.used, entry.reserved) == 0U) {
        ++figures.spent;
    } else {
        ++figures.good;
        if (!expires) return;
        for (std::size_t i = 0; i < kSecretEnds.size(); ++i) {
            if (*expires - now <= kSecretEnds.at(i)) ++figures.ending.at(i);
        }
        if (!figures.next || *expires < *figures.next) figures.next = expires;
    }
}

bool SecretTable::revoke(ByteView reference) {
    const crypto::Sha256 digest = crypto::sha256(reference);
    const std::lock_guard guard{mutex_};
    return entries_.erase(digest) != 0;
}

bool SecretTable::lock(ByteView reference, std::uint64_t generation) {
    const crypto::Sha256 digest = crypto::sha256(reference);
    const std::lock_guard guard{mutex_};
    const auto at = entries_.find(digest);
    if (at == entries_.end() || at->second.generation != generation) return false;
    at->second.locked = true;
    return true;
}

std::optional<std::string_view> SecretTable::reserve(const SecretUse& use) {
    const std::lock_guard guard{mutex_};
    const auto at = entries_.find(use.reference);
    if (at == entries_.end() || at->second.generation != use.generation || at->second.locked)
        return "secret";
    Entry& entry = at->second;
    if (left(entry.secret.uses, entry.used, entry.reserved) == 0U) return "secret uses";
    ++entry.reserved;
    return std::nullopt;
}

void SecretTable::settle(const SecretUse& use, SecretUse::Fate fate) noexcept {
    const std::lock_guard guard{mutex_};
    const auto at = entries_.find(use.reference);
    if (at == entries_.end() || at->second.generation != use.generation) return;
    --at->second.reserved;
    if (fate == SecretUse::Fate::returned) return;
    ++at->second.used;
    at->second.changed = changed_ = true;
}

std::optional<SecretTable::Row> SecretTable::row(const crypto::Sha256& reference) const {
    const std::lock_guard guard{mutex_};
    const auto at = entries_.find(reference);
    if (at == entries_.end()) return std::nullopt;
    const Entry& entry = at->second;
    const gateway::NewSecret& secret = entry.secret;
    Row row;
    row.secret = {secret.reference, Secret{to_bytes(secret.octets.reveal())},
                  secret.profile,   secret.created,
                  secret.expires,   secret.uses,
                  secret.generated};
    row.generation = entry.generation;
    row.used = entry.used;
    row.locked = entry.locked;
    return row;
}

void SecretTable::restore(Row row) {
    const crypto::Sha256 digest = crypto::sha256(row.secret.reference);
    const std::lock_guard guard{mutex_};
    last_generation_ = std::max(last_generation_, row.generation);
    Entry entry;
    entry.secret = std::move(row.secret);
    entry.generation = row.generation;
    entry.used = row.used;
    entry.locked = row.locked;
    entries_.insert_or_assign(digest, std::move(entry));
}

void SecretTable::raise_generation(std::uint64_t least) noexcept {
    const std::lock_guard guard{mutex_};
    last_generation_ = std::max(last_generation_, least);
}

std::vector<crypto::Sha256> SecretTable::take_changed() {
    std::vector<crypto::Sha256> all;
    const std::lock_guard guard{mutex_};
    if (!std::exchange(changed_, false)) return all;
    for (auto& [digest, entry] : entries_) {
        if (std::exchange(entry.changed, false)) all.push_back(digest);
    }
    return all;
}

void SecretTable::restore_use(const SecretUse& use) noexcept {
    const std::lock_guard guard{mutex_};
    const auto at = entries_.find(use.reference);
    if (at != entries_.end() && at->second.generation == use.generation) ++at->second.reserved;
}

}  // namespace ra::store
