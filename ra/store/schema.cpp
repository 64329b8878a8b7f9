#include "ra/store/schema.h"

#include <array>
#include <string>

namespace ra::store {
namespace {

constexpr std::int64_t kApplication = 0x636d7067;  // "cmpg"

constexpr std::string_view kColumns =
    "(id INTEGER PRIMARY KEY, revision INTEGER NOT NULL, forget_at INTEGER NOT NULL,"
    " sealed BLOB NOT NULL)";

/// What takes a database from version i to i + 1. Never changed once released, only added to.
const std::array<std::string, kSchemaVersion>& steps() {
    static const std::array<std::string, kSchemaVersion> made = {
        // 1: one row tells when and by whom the rest was written.
        "CREATE TABLE state (id INTEGER PRIMARY KEY CHECK (id = 1), mark INTEGER NOT NULL,"
        " sealed BLOB NOT NULL);"
        "CREATE TABLE transactions " +
            std::string(kColumns) +
            ";"
            "CREATE INDEX transactions_forget ON transactions (forget_at);"
            "CREATE TABLE orphans " +
            std::string(kColumns) + ";",
        // 2
        "CREATE TABLE secrets " + std::string(kColumns) + ";",
        // 3
        "CREATE TABLE certified_keys " + std::string(kColumns) + ";CREATE TABLE revoked " +
            std::string(kColumns) + ";",
    };
    return made;
}

std::int64_t version_of(Database& database, const std::string& path) {
    const std::int64_t version = database.integer("PRAGMA user_version");
    const std::int64_t application = database.integer("PRAGMA application_id");
    const bool empty = database.integer("SELECT count(*) FROM sqlite_schema") == 0;
    if (empty && version == 0) return 0;
    if (application != kApplication)
        throw std::runtime_error(path + ": is a database, but no store of cmpgate's");
    if (version > kSchemaVersion) {
        throw std::runtime_error(path + ": was written by a newer cmpgate (schema " +
                                 std::to_string(version) + ", this one reads up to " +
                                 std::to_string(kSchemaVersion) + ")");
    }
    return version;
}

}  // namespace

std::string_view name_of(Part part) noexcept {
    switch (part) {
        case Part::transactions:
            return "transactions";
        case Part::orphans:
            return "orphans";
        case Part::secrets:
            return "secrets";
        case Part::certified_keys:
            return "certified_keys";
        case Part::revoked:
            return "revoked";
    }
    return {};
}

void prepare_schema(Database& database, const std::string& path) {
    const std::int64_t version = version_of(database, path);
    if (version == kSchemaVersion) return;
    Database::Transaction transaction{database};
    for (auto at = version; at < kSchemaVersion; ++at)
        database.execute(steps()[static_cast<std::size_t>(at)]);
    database.execute("PRAGMA application_id = " + std::to_string(kApplication));
    database.execute("PRAGMA user_version = " + std::to_string(kSchemaVersion));
    transaction.commit();
}

void check_schema(Database& database, const std::string& path) {
    const std::int64_t version = version_of(database, path);
    if (version == kSchemaVersion) return;
    throw std::runtime_error(path + ": is of an older version; cmpgate serve brings it up to date");
}

}  // namespace ra::store
