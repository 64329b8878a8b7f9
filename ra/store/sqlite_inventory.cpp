#include "ra/store/sqlite_inventory.h"

#include <limits>
#include <stdexcept>

#include "ra/store/rows.h"

namespace ra::store {
namespace {

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

}  // namespace

SqliteInventory::SqliteInventory(const InventorySettings& settings, Journal& journal,
                                 const KeyedHash& first, const KeyedHash& second)
    : journal_{journal}, first_{first}, second_{second}, memory_{settings} {}

void SqliteInventory::recover() {
    Change beyond;
    journal_.read(Part::certified_keys, [&](ByteView content) -> std::optional<Fingerprint> {
        auto row = unpack_certified_key(content);
        if (!row) throw std::runtime_error("a certified key of the store cannot be read");
        const auto put = memory_.put(row->key, 0, std::move(row->holder));
        if (put && *put) beyond.push_back(key_row(**put));
        return name(row->key);
    });
    journal_.read(Part::revoked, [&](ByteView content) -> std::optional<Fingerprint> {
        const auto row = unpack_revoked(content);
        if (!row) throw std::runtime_error("a revoked certificate of the store cannot be read");
        if (const auto gone = memory_.add(row->certificate, row->until))
            beyond.push_back(revoked_row(*gone));
        return name(row->certificate);
    });
    if (!beyond.empty()) journal_.write_now(std::move(beyond));
}

Write SqliteInventory::key_row(const crypto::Sha256& key) {
    Write write;
    write.part = Part::certified_keys;
    write.key = name(key);
    write.forget_at = kNever;
    // Of two changes at once the last one written is the last one true.
    write.make = [this, key]() -> std::optional<Bytes> {
        auto holder = memory_.holder(key);
        if (!holder) return std::nullopt;
        return pack_certified_key({key, std::move(*holder)});
    };
    return write;
}

Write SqliteInventory::revoked_row(const crypto::Sha256& certificate) {
    Write write;
    write.part = Part::revoked;
    write.key = name(certificate);
    write.forget_at = kNever;
    write.make = [this, certificate]() -> std::optional<Bytes> {
        const auto until = memory_.revoked_until(certificate);
        if (!until) return std::nullopt;
        return pack_revoked({certificate, *until});
    };
    return write;
}

asio::awaitable<std::optional<SqliteInventory::Entry>> SqliteInventory::find_key(
    const crypto::Sha256& key) {
    co_return co_await memory_.find_key(key);
}

asio::awaitable<bool> SqliteInventory::put_key(const crypto::Sha256& key, std::uint64_t version,
                                               policy::KeyHolder holder) {
    const auto put = memory_.put(key, version, std::move(holder));
    if (!put) co_return false;
    Change change;
    change.push_back(key_row(key));
    if (*put) change.push_back(key_row(**put));
    journal_.write_later(std::move(change));
    co_return true;
}

asio::awaitable<void> SqliteInventory::add_revoked(ByteView issuer, ByteView serial,
                                                   WallTime until) {
    const crypto::Sha256 certificate = MemoryInventory::name_of(issuer, serial);
    const auto gone = memory_.add(certificate, until);
    Change change;
    change.push_back(revoked_row(certificate));
    if (gone) change.push_back(revoked_row(*gone));
    journal_.write_later(std::move(change));
    co_return;
}

}  // namespace ra::store
