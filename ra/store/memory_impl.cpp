#include "ra/store/memory_impl.h"

#include <algorithm>
#include <utility>

namespace ra::store {

using gateway::Record;
using gateway::SecretUse;
using gateway::State;
using gateway::TransactionKey;
using gateway::Versioned;

std::uint32_t Memory::Impl::seconds(BootTime at) const noexcept {
    constexpr std::int64_t kMost = (std::int64_t{1} << 31) - 1;
    const auto since = std::chrono::ceil<std::chrono::seconds>(at - made_).count();
    return static_cast<std::uint32_t>(std::clamp<std::int64_t>(since, 1, kMost));
}

Index Memory::Impl::find_open(Shard& shard, std::uint64_t id_hash, const TransactionKey& key,
                              BootTime now, Afterwards& after) {
    Index at = shard.open.first(id_hash);
    for (; at != kNone; at = shard.open[at].next) {
        const Open& open = shard.open[at];
        if (open.id_hash == id_hash && open.principal == key.principal &&
            open.transaction_id == key.transaction_id) {
            break;
        }
    }
    if (at == kNone || shard.open[at].record.expires > now || shard.open[at].leased) return at;
    end_expired(shard, at, now, after);
    return kNone;
}

Index Memory::Impl::find_remembered(Shard& shard, const Fingerprint& fingerprint, BootTime now) {
    Index at = shard.remembered.first(fingerprint.first);
    while (at != kNone && !(shard.remembered[at].fingerprint == fingerprint)) {
        at = shard.remembered[at].next;
    }
    if (at == kNone || now < made_ + std::chrono::seconds{shard.remembered[at].until}) return at;
    forget(shard, at);
    return kNone;
}

/// S-04: of one in flight nobody knows any more what the CA did.
void Memory::Impl::end_expired(Shard& shard, Index at, BootTime now, Afterwards& after) {
    Record last = std::move(shard.open[at].record);
    if (last.state == State::in_flight) last.answer.reset();
    const bool unknown = last.state == State::in_flight || last.state == State::outcome_unknown;
    last.state = unknown ? State::outcome_unknown : State::finished;
    if (last.secret_use && last.secret_use->fate == SecretUse::Fate::reserved) {
        secrets_.settle(*last.secret_use, SecretUse::Fate::committed);
        last.secret_use->fate = SecretUse::Fate::committed;
        if (collect_expired_) {
            const Open& open = shard.open[at];
            const std::lock_guard lock{expired_mutex_};
            expired_.push_back({{open.principal, open.transaction_id}, last});
        }
    }
    finish(shard, at, last, now, after);
}

/// Turns an open transaction into its replay entry; `last` may be what is left of its own record.
void Memory::Impl::finish(Shard& shard, Index at, Record& last, BootTime now, Afterwards& after) {
    Open& open = shard.open[at];
    const Principals::Ref ref = open.ref;
    end_open(open);
    if (last.remember_until <= now) {
        close(shard, at, after);
        principals_.forget(ref);
        --remembered_;
        return;
    }
    const Index entry_at = shard.remembered.take();
    Remembered& entry = shard.remembered[entry_at];
    const policy::Principal& principal = open.principal;
    entry.fingerprint = {hash_(principal.digest, open.transaction_id),
                         second_(principal.digest, open.transaction_id)};
    entry.digest = last.request_digest;
    entry.until = seconds(last.remember_until) & 0x7fffffffU;
    entry.unknown = last.state == State::outcome_unknown ? 1U : 0U;
    entry.ref = ref;
    entry.kept = KeptAnswers::kNone;
    if (last.answer != nullptr) {
        entry.kept = kept_of(entry.fingerprint).keep(entry.fingerprint.second, *last.answer);
        after.octets.push_back(std::move(last.answer));
    }
    shard.remembered.link(entry_at);
    close(shard, at, after);
}

/// Its principal has one open transaction less.
void Memory::Impl::end_open(Open& open) noexcept {
    if (!open.lost) principals_.close(open.ref);
}

/// A CA that does not answer must not use up what a device may have open: of what became unknown
/// only the claim and the replay entry are left.
void Memory::Impl::lose(Open& open) noexcept {
    if (open.lost || open.record.state != State::outcome_unknown) return;
    principals_.close(open.ref);
    open.lost = true;
}

/// The open record goes, with its claim and watches; counts of its principal are the caller's.
void Memory::Impl::close(Shard& shard, Index at, Afterwards& after) {
    Open& open = shard.open[at];
    touch(open, after);
    open_octets_ -= std::exchange(open.octets, 0);
    if (open.record.answer) after.octets.push_back(std::move(open.record.answer));
    if (open.record.request) after.octets.push_back(std::move(open.record.request));
    open.record = Record{};
    open.leased = false;
    open.lost = false;
    open.version = 0;
    --open_;
    shard.open.erase(at);
}

void Memory::Impl::forget(Shard& shard, Index at) {
    Remembered& entry = shard.remembered[at];
    kept_of(entry.fingerprint).drop(entry.fingerprint.second, entry.kept);
    principals_.forget(entry.ref);
    entry.until = 0;
    --remembered_;
    shard.remembered.erase(at);
}

/// S-23: once settled, always settled; what ends without a word has used it up.
void Memory::Impl::settle_use(Record& was, Record& now) noexcept {
    const auto fate = now.secret_use ? now.secret_use->fate : SecretUse::Fate::reserved;
    now.secret_use = was.secret_use;
    if (!was.secret_use || was.secret_use->fate != SecretUse::Fate::reserved) return;
    if (fate == SecretUse::Fate::reserved && now.state != State::finished) return;
    secrets_.settle(*was.secret_use, fate);
    now.secret_use->fate = fate == SecretUse::Fate::returned ? fate : SecretUse::Fate::committed;
    was.secret_use = now.secret_use;
}

std::vector<Memory::Expired> Memory::Impl::take_expired() {
    collect_expired_ = true;
    const std::lock_guard lock{expired_mutex_};
    return std::exchange(expired_, {});
}

void Memory::Impl::settle_leased(const TransactionKey& key, Record& record) {
    const BootTime now = clock_.boot_now();
    const std::uint64_t id_hash = hash_(key.transaction_id);
    Shard& shard = shard_of(id_hash);
    Afterwards after;
    const std::lock_guard lock{shard.mutex};
    const Index at = find_open(shard, id_hash, key, now, after);
    if (at != kNone) settle_use(shard.open[at].record, record);
}

/// Whoever watches learns that the version has changed.
void Memory::Impl::touch(Open& open, Afterwards& after) {
    watches_ -= open.watches.size();
    for (auto& watch : open.watches) after.changed.push_back(std::move(watch.second));
    open.watches.clear();
}

Versioned Memory::Impl::settled(const Remembered& entry) const {
    Versioned found;
    found.version = kSettled;
    found.record.state = entry.unknown != 0 ? State::outcome_unknown : State::finished;
    found.record.request_digest = entry.digest;
    found.record.remember_until = made_ + std::chrono::seconds{entry.until};
    found.record.answer = kept_of(entry.fingerprint).find(entry.fingerprint.second, entry.kept);
    return found;
}

/// Counts one more open transaction, of all and of the principal, or names the bound.
std::variant<Principals::Ref, std::string_view> Memory::Impl::reserve(const TransactionKey& key,
                                                                      const Record& record,
                                                                      std::size_t octets) {
    std::string_view bound;
    const bool fits = ++open_ <= settings_.open;
    const bool fits_octets = (open_octets_ += octets) <= settings_.open_octets;
    const bool fits_replay = ++remembered_ <= settings_.remembered;
    if (!fits) bound = "open";
    if (!fits_octets) bound = "open octets";
    if (!fits_replay) bound = "remembered";
    // The principal's own quota is named first: it is what an operator can act on (S-05).
    auto reserved = principals_.reserve(record.payer.value_or(key.principal), !record.verified);
    if (const auto* ref = std::get_if<Principals::Ref>(&reserved)) {
        if (bound.empty()) return *ref;
        principals_.close(*ref);
        principals_.forget(*ref);
        reserved = bound;
    }
    --open_;
    open_octets_ -= octets;
    --remembered_;
    return reserved;
}

Index Memory::Impl::add_open(Shard& shard, const TransactionKey& key, std::uint64_t id_hash,
                             Record&& record, std::size_t octets, Principals::Ref ref) {
    const Index at = shard.open.take();
    Open& open = shard.open[at];
    open.transaction_id = key.transaction_id;
    open.principal = key.principal;
    open.id_hash = id_hash;
    open.version = ++shard.last_version;
    open.record = std::move(record);
    open.octets = octets;
    open.ref = ref;
    shard.open.link(at);
    return at;
}

void Memory::Impl::restore(const TransactionKey& key, Record&& record) {
    const BootTime now = clock_.boot_now();
    const std::uint64_t id_hash = hash_(key.transaction_id);
    Shard& shard = shard_of(id_hash);
    Afterwards after;
    const std::lock_guard lock{shard.mutex};
    if (find_open(shard, id_hash, key, now, after) != kNone ||
        find_remembered(shard, fingerprint(key), now) != kNone) {
        return;
    }
    const std::size_t octets =
        (record.answer ? record.answer->size() : 0) + (record.request ? record.request->size() : 0);
    ++open_;
    ++remembered_;
    open_octets_ += octets;
    const bool finished = record.state == State::finished;
    if (record.secret_use && record.secret_use->fate == SecretUse::Fate::reserved)
        secrets_.restore_use(*record.secret_use);
    const Principals::Ref ref =
        principals_.restore(record.payer.value_or(key.principal), !record.verified);
    const Index at = add_open(shard, key, id_hash, std::move(record), octets, ref);
    if (finished) {
        Record last = std::move(shard.open[at].record);
        finish(shard, at, last, now, after);
    } else {
        lose(shard.open[at]);
    }
}

Memory::Sizes Memory::Impl::sizes() const {
    Sizes sizes;
    sizes.open = open_;
    // What open ones have reserved is no entry yet.
    const std::size_t remembered = remembered_;
    sizes.remembered = remembered > sizes.open ? remembered - sizes.open : 0;
    sizes.kept_octets = open_octets_;
    for (const auto& kept : kept_) sizes.kept_octets += kept->octets();
    sizes.watches = watches_;
    return sizes;
}

void Memory::Impl::sweep(std::size_t most) {
    constexpr Index kAtOnce = 512;  // a few microseconds of lock
    const BootTime now = clock_.boot_now();
    std::size_t whole_shards = 0;
    while (most != 0 && whole_shards < shards_.size()) {
        Shard& shard = shards_[sweeping_ % shards_.size()];
        Afterwards after;
        {
            const std::lock_guard lock{shard.mutex};
            const Index opens = shard.open.end();
            const Index all = opens + shard.remembered.end();
            const Index until = std::min(all, shard.swept + kAtOnce);
            for (; shard.swept < until; ++shard.swept) {
                if (shard.swept < opens) {
                    const Open& open = shard.open[shard.swept];
                    if (open.version != 0 && open.record.expires <= now && !open.leased) {
                        end_expired(shard, shard.swept, now, after);
                    }
                } else {
                    const Index at = shard.swept - opens;
                    const std::uint32_t due = shard.remembered[at].until;
                    if (due != 0 && made_ + std::chrono::seconds{due} <= now) forget(shard, at);
                }
                --most;
                if (most == 0) break;
            }
            if (shard.swept >= all) {
                shard.swept = 0;
                ++sweeping_;
                ++whole_shards;
            }
        }
    }
}

}  // namespace ra::store
