#include "ra/store/memory.h"

#include <algorithm>
#include <utility>

#include "ra/store/memory_impl.h"

namespace ra::store {

using gateway::Advanced;
using gateway::AdvanceResult;
using gateway::BeginResult;
using gateway::Begun;
using gateway::Conflict;
using gateway::Exists;
using gateway::Full;
using gateway::IdInUse;
using gateway::Record;
using gateway::SecretUse;
using gateway::State;
using gateway::TransactionKey;
using gateway::Versioned;

namespace {

constexpr std::size_t kMostClaims = 4;

std::size_t octets_of(const Record& record) noexcept {
    return (record.answer ? record.answer->size() : 0) +
           (record.request ? record.request->size() : 0);
}

}  // namespace

std::optional<Versioned> Memory::Impl::find(const TransactionKey& key) {
    const BootTime now = clock_.boot_now();
    const std::uint64_t id_hash = hash_(key.transaction_id);
    Shard& shard = shard_of(id_hash);
    Afterwards after;
    const std::lock_guard lock{shard.mutex};
    if (const Index at = find_open(shard, id_hash, key, now, after); at != kNone)
        return Versioned{shard.open[at].record, shard.open[at].version};
    if (shard.remembered.size() == 0) return std::nullopt;
    const Index entry = find_remembered(shard, fingerprint(key), now);
    if (entry == kNone) return std::nullopt;
    return settled(shard.remembered[entry]);
}

std::vector<Versioned> Memory::Impl::find_claims(ByteView transaction_id) {
    const BootTime now = clock_.boot_now();
    const std::uint64_t id_hash = hash_(transaction_id);
    Shard& shard = shard_of(id_hash);
    std::vector<Versioned> found;
    const std::lock_guard lock{shard.mutex};
    for (Index at = shard.open.first(id_hash); at != kNone; at = shard.open[at].next) {
        const Open& open = shard.open[at];
        if (open.id_hash != id_hash || (open.record.expires <= now && !open.leased)) continue;
        if (!equal(open.transaction_id, transaction_id)) continue;
        found.push_back({open.record, open.version});
        if (found.size() == kMostClaims) break;
    }
    return found;
}

BeginResult Memory::Impl::begin(const TransactionKey& key, Record&& record) {
    const BootTime now = clock_.boot_now();
    const std::uint64_t id_hash = hash_(key.transaction_id);
    const Fingerprint print = fingerprint(key);
    Shard& shard = shard_of(id_hash);
    Afterwards after;
    const std::lock_guard lock{shard.mutex};
    if (const Index at = find_open(shard, id_hash, key, now, after); at != kNone) {
        return Exists{{shard.open[at].record, shard.open[at].version}};
    }
    if (const Index at = find_remembered(shard, print, now); at != kNone) {
        return Exists{settled(shard.remembered[at])};
    }
    for (Index at = shard.open.first(id_hash); at != kNone;) {
        const Open& other = shard.open[at];
        const Index next = other.next;
        if (other.id_hash == id_hash && other.transaction_id == key.transaction_id &&
            other.record.upstream == record.upstream) {
            if (other.record.expires > now || other.leased) return IdInUse{other.principal};
            end_expired(shard, at, now, after);
        }
        at = next;
    }
    if (record.secret_use) {
        if (const auto bound = secrets_.reserve(*record.secret_use)) return Full{*bound};
        record.secret_use->fate = SecretUse::Fate::reserved;
    }
    const std::size_t octets = octets_of(record);
    const auto reserved = reserve(key, record, octets);
    if (const auto* bound = std::get_if<std::string_view>(&reserved)) {
        if (record.secret_use) secrets_.settle(*record.secret_use, SecretUse::Fate::returned);
        return Full{*bound};
    }

    const Index at = add_open(shard, key, id_hash, std::move(record), octets,
                              std::get<Principals::Ref>(reserved));
    return Begun{shard.open[at].version};
}

AdvanceResult Memory::Impl::advance(const TransactionKey& key, std::uint64_t version,
                                    Record&& record, bool leased) {
    const BootTime now = clock_.boot_now();
    const std::uint64_t id_hash = hash_(key.transaction_id);
    Shard& shard = shard_of(id_hash);
    Afterwards after;
    const std::lock_guard lock{shard.mutex};
    const Index at = find_open(shard, id_hash, key, now, after);
    if (at == kNone || shard.open[at].version != version || shard.open[at].leased != leased)
        return Conflict{};
    Open& open = shard.open[at];
    open.leased = false;
    settle_use(open.record, record);
    if (record.state == State::finished) {
        finish(shard, at, record, now, after);
        return Advanced{kSettled};
    }
    touch(open, after);
    record.upstream.swap(open.record.upstream);
    std::swap(open.record,
              record);  // what was goes with the caller's argument, outside the lock
    lose(open);
    open.version = ++shard.last_version;
    const std::size_t octets = octets_of(open.record);
    open_octets_ += octets - std::exchange(open.octets, octets);
    return Advanced{open.version};
}

bool Memory::Impl::lease(const TransactionKey& key, std::uint64_t version) {
    const BootTime now = clock_.boot_now();
    const std::uint64_t id_hash = hash_(key.transaction_id);
    Shard& shard = shard_of(id_hash);
    Afterwards after;
    const std::lock_guard lock{shard.mutex};
    const Index at = find_open(shard, id_hash, key, now, after);
    if (at == kNone || shard.open[at].version != version || shard.open[at].leased) return false;
    shard.open[at].leased = true;
    return true;
}

AdvanceResult Memory::Impl::release(const TransactionKey& key, std::uint64_t version, bool leased) {
    const BootTime now = clock_.boot_now();
    const std::uint64_t id_hash = hash_(key.transaction_id);
    Shard& shard = shard_of(id_hash);
    Afterwards after;
    const std::lock_guard lock{shard.mutex};
    const Index at = find_open(shard, id_hash, key, now, after);
    if (at == kNone || shard.open[at].version != version || shard.open[at].leased != leased)
        return Conflict{};
    const Principals::Ref ref = shard.open[at].ref;
    const std::optional<SecretUse> use = shard.open[at].record.secret_use;
    if (use && use->fate == SecretUse::Fate::reserved)
        secrets_.settle(*use, SecretUse::Fate::returned);
    end_open(shard.open[at]);
    close(shard, at, after);
    principals_.forget(ref);
    --remembered_;
    return Advanced{version};
}

Memory::WatchId Memory::Impl::watch(const TransactionKey& key, std::uint64_t version,
                                    std::function<void()>&& changed) {
    const BootTime now = clock_.boot_now();
    const std::uint64_t id_hash = hash_(key.transaction_id);
    Shard& shard = shard_of(id_hash);
    Afterwards after;
    const std::lock_guard lock{shard.mutex};
    const Index at = find_open(shard, id_hash, key, now, after);
    if (at == kNone || shard.open[at].version != version) return 0;
    Open& open = shard.open[at];
    if (open.watches.size() >= settings_.watches_per_record) return 0;
    open.watches.emplace_back(++shard.last_watch, std::move(changed));
    ++watches_;
    return shard.last_watch;
}

void Memory::Impl::unwatch(const TransactionKey& key, WatchId id) noexcept {
    const std::uint64_t id_hash = hash_(key.transaction_id);
    Shard& shard = shard_of(id_hash);
    std::function<void()> dropped;  // destroyed outside the lock
    const std::lock_guard lock{shard.mutex};
    for (Index at = shard.open.first(id_hash); at != kNone; at = shard.open[at].next) {
        auto& watches = shard.open[at].watches;
        const auto found = std::find_if(watches.begin(), watches.end(),
                                        [id](const auto& watch) { return watch.first == id; });
        if (found == watches.end()) continue;
        dropped = std::move(found->second);
        watches.erase(found);
        --watches_;
        return;
    }
}

Memory::Memory(const Clock& clock, Random& random, MemorySettings settings)
    : impl_{std::make_unique<Impl>(clock, random, settings)} {}
Memory::~Memory() = default;

asio::awaitable<std::optional<Versioned>> Memory::find(const TransactionKey& key) {
    co_return impl_->find(key);
}
asio::awaitable<std::vector<Versioned>> Memory::find_claims(ByteView transaction_id) {
    co_return impl_->find_claims(transaction_id);
}
asio::awaitable<BeginResult> Memory::begin(const TransactionKey& key, Record record) {
    co_return impl_->begin(key, std::move(record));
}
asio::awaitable<AdvanceResult> Memory::advance(const TransactionKey& key, std::uint64_t version,
                                               Record record) {
    co_return impl_->advance(key, version, std::move(record), false);
}
asio::awaitable<AdvanceResult> Memory::release(const TransactionKey& key, std::uint64_t version) {
    co_return impl_->release(key, version, false);
}
bool Memory::lease(const TransactionKey& key, std::uint64_t version) {
    return impl_->lease(key, version);
}
AdvanceResult Memory::advance_leased(const TransactionKey& key, std::uint64_t version,
                                     Record record) {
    return impl_->advance(key, version, std::move(record), true);
}
AdvanceResult Memory::release_leased(const TransactionKey& key, std::uint64_t version) {
    return impl_->release(key, version, true);
}
void Memory::settle_leased(const TransactionKey& key, Record& record) {
    impl_->settle_leased(key, record);
}
std::vector<Memory::Expired> Memory::take_expired() { return impl_->take_expired(); }
SecretTable& Memory::secrets() noexcept { return impl_->secrets(); }
SecretFigures Memory::secret_figures(WallTime now) const { return impl_->secrets().figures(now); }
void Memory::restore(const TransactionKey& key, Record record) {
    impl_->restore(key, std::move(record));
}
Memory::WatchId Memory::watch(const TransactionKey& key, std::uint64_t version,
                              std::function<void()> changed) {
    return impl_->watch(key, version, std::move(changed));
}
void Memory::unwatch(const TransactionKey& key, WatchId id) noexcept { impl_->unwatch(key, id); }
Memory::Sizes Memory::sizes() const { return impl_->sizes(); }
asio::awaitable<std::optional<gateway::KnownSecret>> Memory::find_secret(ByteView reference) {
    co_return impl_->secrets().find(reference);
}
asio::awaitable<gateway::Secrets::Added> Memory::add_secret(gateway::NewSecret secret) {
    co_return impl_->secrets().add(std::move(secret));
}
asio::awaitable<std::vector<gateway::SecretInfo>> Memory::list_secrets() {
    co_return impl_->secrets().list();
}
asio::awaitable<bool> Memory::revoke_secret(ByteView reference) {
    co_return impl_->secrets().revoke(reference);
}
asio::awaitable<bool> Memory::lock_secret(ByteView reference, std::uint64_t generation) {
    co_return impl_->secrets().lock(reference, generation);
}
void Memory::sweep(std::size_t most) { impl_->sweep(most); }

}  // namespace ra::store
