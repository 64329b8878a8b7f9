#pragma once

#include <cstdint>
#include <string_view>

#include "ra/store/database.h"

namespace ra::store {

/// The tables. All have the same columns: what a row is about is sealed in it.
enum class Part : std::uint8_t {
    transactions,    // open ones, and finished ones inside their replay horizon
    orphans,         // ledger of possibly issued certificates (S-04)
    secrets,         // enrolment secrets
    certified_keys,  // whose keys are certified (S-14)
    revoked,         // certificates revoked through here (S-33)
};
inline constexpr std::size_t kParts = 5;

[[nodiscard]] std::string_view name_of(Part part) noexcept;

/// Version of the schema this program reads and writes (PRAGMA user_version).
inline constexpr std::int64_t kSchemaVersion = 3;

/// Makes the tables in an empty database, brings older ones up to date. Throws
/// std::runtime_error: not a store, or of a newer program.
void prepare_schema(Database& database, const std::string& path);

/// The same without changing anything: for readers.
void check_schema(Database& database, const std::string& path);

}  // namespace ra::store
