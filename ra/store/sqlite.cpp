#include "ra/store/sqlite.h"

#include <limits>
#include <stdexcept>

#include "ra/crypto/digest.h"

namespace ra::store {

using gateway::AdvanceResult;
using gateway::BeginResult;
using gateway::Begun;
using gateway::Conflict;
using gateway::Full;
using gateway::Record;
using gateway::State;
using gateway::TransactionKey;
using gateway::Versioned;

namespace {

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

crypto::Sealer sealer_of(Secret key) {
    auto sealer = crypto::Sealer::create(std::move(key));
    if (!sealer) throw std::runtime_error("store.key must have 32 octets");
    return std::move(*sealer);
}

bool is_durable(const Record& record) noexcept {
    return cmp::is_state_changing(record.request_type);
}

}  // namespace

Sqlite::Sqlite(SqliteSettings settings, Secret key, const Clock& clock, Random& random)
    : clock_{clock},
      sealer_{sealer_of(std::move(key))},
      first_{random},
      second_{random},
      memory_{clock, random, settings.memory},
      journal_{std::move(settings.journal), sealer_, clock, random},
      inventory_{settings.inventory, journal_, first_, second_} {
    (void)memory_.take_expired();
    inventory_.recover();
    recover();
}

void Sqlite::recover() {
    const StoreTime& time = journal_.time();
    const BootTime now = clock_.boot_now();
    SecretTable& secrets = memory_.secrets();
    std::vector<crypto::Sha256> voided;
    // Never given before, whatever was revoked since: each start, and each secret, writes.
    secrets.raise_generation(journal_.mark() << 20U);
    journal_.read(Part::secrets, [&](ByteView content) -> std::optional<Fingerprint> {
        auto row = unpack_secret(content);
        if (!row) throw std::runtime_error("a secret of the store cannot be read");
        const crypto::Sha256 digest = crypto::sha256(row->row.secret.reference);
        if (row->epoch < journal_.epoch()) {
            if (row->row.secret.uses) row->row.locked = true;
            voided.push_back(digest);
        }
        secrets.restore(std::move(row->row));
        return Fingerprint{first_(digest, {}), second_(digest, {})};
    });
    std::vector<TransactionRow> doubtful;
    journal_.read(Part::transactions, [&](ByteView content) -> std::optional<Fingerprint> {
        auto row = unpack_transaction(content, time);
        if (!row) throw std::runtime_error("a transaction of the store cannot be read");
        Record& record = row->record;
        if (record.state == State::finished) {
            memory_.restore(row->key, std::move(record));
            return std::nullopt;
        }
        const Fingerprint named = name(row->key);
        if (record.state == State::in_flight) {
            // S-04: nobody knows what the CA did. It is remembered as that, whatever happens next.
            record.state = State::outcome_unknown;
            record.answer.reset();
            doubtful.push_back(*row);
        }
        if (std::max(record.expires, record.remember_until) > now) {
            memory_.restore(row->key, std::move(record));
        } else if (record.secret_use &&
                   record.secret_use->fate == gateway::SecretUse::Fate::reserved) {
            secrets.restore_use(*record.secret_use);
            secrets.settle(*record.secret_use, gateway::SecretUse::Fate::committed);
        }
        return named;
    });
    journal_.read(Part::orphans, [](ByteView) { return std::nullopt; });
    in_doubt_ = doubtful.size();
    Change change;
    for (const crypto::Sha256& digest : voided) change.push_back(secret_row(digest));
    for (const TransactionRow& one : doubtful) {
        change.push_back(row(one.key, one.record));
        change.push_back(ledger(one.key, one.record, "crash"));
    }
    if (!change.empty()) journal_.write_now(std::move(change));
}

Write Sqlite::row(const TransactionKey& key, const Record& record) const {
    const StoreTime& time = journal_.time();
    const bool finished = record.state == State::finished;
    const BootTime until =
        finished ? record.remember_until : std::max(record.remember_until, record.expires);
    return {Part::transactions, name(key), pack_transaction(key, record, time), time.of(until),
            finished};
}

Write Sqlite::ledger(const TransactionKey& key, const Record& record, std::string_view why) const {
    return {Part::orphans, name(key), pack_orphan(key, record, why, clock_.wall_now()), kNever,
            true};
}

asio::awaitable<std::optional<Versioned>> Sqlite::find(const TransactionKey& key) {
    return memory_.find(key);
}
asio::awaitable<std::vector<Versioned>> Sqlite::find_claims(ByteView transaction_id) {
    return memory_.find_claims(transaction_id);
}

asio::awaitable<BeginResult> Sqlite::begin(const TransactionKey& key, Record record) {
    if (!is_durable(record)) co_return co_await memory_.begin(key, std::move(record));
    Write intent = row(key, record);
    BeginResult result = co_await memory_.begin(key, std::move(record));
    const auto* begun = std::get_if<Begun>(&result);
    if (begun == nullptr) co_return result;
    // Whoever finds it meanwhile sees it in flight, and waits.
    std::string_view refused = journal_.refuses();
    if (refused.empty()) {
        Change change;
        change.push_back(std::move(intent));
        const bool written = co_await journal_.write(std::move(change), Journal::Need::claim);
        if (written) co_return result;
        refused = "disk";
    }
    co_await memory_.release(key, begun->version);
    co_return Full{refused};
}

asio::awaitable<AdvanceResult> Sqlite::advance(const TransactionKey& key, std::uint64_t version,
                                               Record record) {
    if (!is_durable(record) || record.state == State::in_flight)
        co_return co_await memory_.advance(key, version, std::move(record));
    if (!memory_.lease(key, version)) co_return Conflict{};
    // From here on the use is used up, or given back, whatever happens to the disk.
    memory_.settle_leased(key, record);
    Change change;
    change.push_back(row(key, record));
    if (record.secret_use && record.secret_use->fate == gateway::SecretUse::Fate::committed)
        change.push_back(secret_row(record.secret_use->reference));
    if (!record.in_doubt.empty()) change.push_back(ledger(key, record, record.in_doubt));
    // The lease orders what is written of one transaction, and nobody sees the new state before it
    // is on the disk. If the disk refuses, it has happened all the same (see Need::keep).
    co_await journal_.write(std::move(change), Journal::Need::keep);
    co_return memory_.advance_leased(key, version, std::move(record));
}

asio::awaitable<AdvanceResult> Sqlite::release(const TransactionKey& key, std::uint64_t version) {
    const auto found = co_await memory_.find(key);
    if (found && !is_durable(found->record)) co_return co_await memory_.release(key, version);
    if (!memory_.lease(key, version)) co_return Conflict{};
    Change change;
    change.push_back({Part::transactions, name(key), std::nullopt, 0, true});
    co_await journal_.write(std::move(change), Journal::Need::keep);
    co_return memory_.release_leased(key, version);
}

Write Sqlite::secret_row(const crypto::Sha256& reference) {
    Write write;
    write.part = Part::secrets;
    write.key = {first_(reference, {}), second_(reference, {})};
    write.forget_at = kNever;
    write.make = [this, reference]() -> std::optional<Bytes> {
        const auto row = memory_.secrets().row(reference);
        if (!row) return std::nullopt;
        return pack_secret(*row, journal_.epoch());
    };
    return write;
}

asio::awaitable<Sqlite::Added> Sqlite::add_secret(gateway::NewSecret secret) {
    const Bytes reference = secret.reference;
    const Added added = co_await memory_.add_secret(std::move(secret));
    if (added != Added::added) co_return added;
    Change change;
    change.push_back(secret_row(crypto::sha256(reference)));
    if (co_await journal_.write(std::move(change), Journal::Need::claim)) co_return added;
    (void)memory_.secrets().revoke(reference);
    co_return Added::full;
}

SecretFigures Sqlite::secret_figures(WallTime now) const { return memory_.secret_figures(now); }

asio::awaitable<bool> Sqlite::revoke_secret(ByteView reference) {
    const crypto::Sha256 digest = crypto::sha256(reference);
    if (!co_await memory_.revoke_secret(reference)) co_return false;
    Change change;
    change.push_back(secret_row(digest));
    co_await journal_.write(std::move(change), Journal::Need::keep);
    co_return true;
}

asio::awaitable<bool> Sqlite::lock_secret(ByteView reference, std::uint64_t generation) {
    const crypto::Sha256 digest = crypto::sha256(reference);
    if (!co_await memory_.lock_secret(reference, generation)) co_return false;
    Change change;
    change.push_back(secret_row(digest));
    co_await journal_.write(std::move(change), Journal::Need::keep);
    co_return true;
}

asio::awaitable<std::optional<bool>> Sqlite::clear_orphan(std::int64_t id) {
    Write write;
    write.part = Part::orphans;
    write.id = id;
    write.removed = std::make_shared<bool>(false);
    const std::shared_ptr<bool> removed = write.removed;
    if (id <= 0) co_return false;
    Change change;
    change.push_back(std::move(write));
    if (!co_await journal_.write(std::move(change), Journal::Need::claim)) co_return std::nullopt;
    co_return *removed;
}

void Sqlite::sweep() {
    memory_.sweep();
    // Uses that ended because their transaction expired: nobody waits for these.
    Change change;
    for (const Memory::Expired& one : memory_.take_expired()) {
        if (is_durable(one.record)) change.push_back(row(one.key, one.record));
    }
    for (const crypto::Sha256& reference : memory_.secrets().take_changed())
        change.push_back(secret_row(reference));
    if (!change.empty()) journal_.write_later(std::move(change));
}

Sqlite::Sizes Sqlite::sizes() const {
    Sizes sizes = memory_.sizes();
    sizes.orphans = journal_.rows(Part::orphans);
    return sizes;
}

std::vector<Orphan> read_orphans(const std::string& path, Secret key) {
    const crypto::Sealer sealer = sealer_of(std::move(key));
    std::vector<Orphan> orphans;
    read_rows(path, sealer, Part::orphans, [&](std::int64_t id, ByteView content) {
        auto orphan = unpack_orphan(content);
        if (!orphan) throw std::runtime_error(path + ": an entry of the ledger cannot be read");
        orphan->id = id;
        orphans.push_back(std::move(*orphan));
    });
    return orphans;
}

}  // namespace ra::store
