#pragma once

#include <optional>

#include "ra/gateway/ports.h"
#include "ra/store/secret_table.h"
#include "ra/store/store_time.h"

/// What rows of the database hold, as octets before they are sealed.
namespace ra::store {

/// A transaction: all of an open one; of a finished one what a store tells of it.
[[nodiscard]] Bytes pack_transaction(const gateway::TransactionKey& key,
                                     const gateway::Record& record, const StoreTime& time);

struct TransactionRow {
    gateway::TransactionKey key;
    gateway::Record record;
};
/// nullopt: no such octets.
[[nodiscard]] std::optional<TransactionRow> unpack_transaction(ByteView octets,
                                                               const StoreTime& time);

/// Of a request that may have been answered with a certificate nobody has (S-04).
struct Orphan {
    std::int64_t id = 0;  // in the ledger
    WallTime at{};
    std::string why;  // "crash", or the rule of the refusal
    gateway::TransactionKey key;
    cmp::BodyType request_type{};
    std::string upstream, profile, label;
    Bytes request;  // the message; empty: not kept (opaque)
};
[[nodiscard]] Bytes pack_orphan(const gateway::TransactionKey& key, const gateway::Record& record,
                                std::string_view why, WallTime at);
[[nodiscard]] std::optional<Orphan> unpack_orphan(ByteView octets);

/// A secret. The octets returned are wiped by whoever gets them. `epoch`: of the store when it was
/// made; a secret of limited use is void in a later one (S-24).
[[nodiscard]] Bytes pack_secret(const SecretTable::Row& row, std::uint64_t epoch);

struct SecretRow {
    SecretTable::Row row;
    std::uint64_t epoch = 0;
};
[[nodiscard]] std::optional<SecretRow> unpack_secret(ByteView octets);

/// Whose a key is (S-14).
struct CertifiedKey {
    crypto::Sha256 key{};
    policy::KeyHolder holder;
};
[[nodiscard]] Bytes pack_certified_key(const CertifiedKey& row);
[[nodiscard]] std::optional<CertifiedKey> unpack_certified_key(ByteView octets);

/// A certificate that was revoked through here (S-33).
struct Revoked {
    crypto::Sha256 certificate{};  // MemoryInventory::name_of()
    WallTime until{};
};
[[nodiscard]] Bytes pack_revoked(const Revoked& row);
[[nodiscard]] std::optional<Revoked> unpack_revoked(ByteView octets);

}  // namespace ra::store
