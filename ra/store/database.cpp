#include "ra/store/database.h"

#include <sqlite3.h>

namespace ra::store {
namespace {

[[noreturn]] void refuse(sqlite3* connection, int code, std::string_view doing) {
    throw DatabaseFault{
        code, std::string(doing) + ": " +
                  (connection != nullptr ? sqlite3_errmsg(connection) : sqlite3_errstr(code))};
}

int remember_log_pages(void* pages, sqlite3*, const char*, int count) noexcept {
    *static_cast<int*>(pages) = count;
    return SQLITE_OK;
}

}  // namespace

void Database::Close::operator()(sqlite3* connection) const noexcept {
    sqlite3_close_v2(connection);
}

Database::Database(const std::string& path, const std::string& vfs, Access access) {
    // NOMUTEX: a connection is one thread's. NOFOLLOW: the path is what the operator wrote.
    const int mode =
        access == Access::write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
    sqlite3* opened = nullptr;
    const int code =
        sqlite3_open_v2(path.c_str(), &opened,
                        mode | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE,
                        vfs.empty() ? nullptr : vfs.c_str());
    connection_.reset(opened);
    if (code != SQLITE_OK) refuse(opened, code, path);
    // The log is copied back between commits by whoever commits, never inside one: no hook of
    // SQLite's own. This one only counts.
    sqlite3_wal_hook(opened, remember_log_pages, log_pages_.get());
    sqlite3_busy_timeout(opened, 2000);  // of readers: `cmpgate audit orphans`
}

void Database::execute(const std::string& sql) {
    const int code = sqlite3_exec(connection_.get(), sql.c_str(), nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) refuse(connection_.get(), code, sql.substr(0, sql.find_first_of("\n(")));
}

std::int64_t Database::integer(const std::string& sql) {
    Statement statement{*this, sql};
    return statement.step() ? statement.integer(0) : 0;
}

std::string Database::text(const std::string& sql) {
    Statement statement{*this, sql};
    return statement.step() ? std::string(statement.text(0)) : std::string{};
}

std::int64_t Database::changes() const noexcept { return sqlite3_changes64(connection_.get()); }

void Database::checkpoint() {
    const int code = sqlite3_wal_checkpoint_v2(connection_.get(), nullptr,
                                               SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
    if (code != SQLITE_OK && (code & 0xff) != SQLITE_BUSY)
        refuse(connection_.get(), code, "checkpoint");
    *log_pages_ = 0;
}

Database::Transaction::~Transaction() {
    if (!open_) return;
    // SQLite has rolled back by itself where the fault was grave enough; then this is a no-op.
    sqlite3_exec(database_.connection_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
}

void Statement::Finalize::operator()(sqlite3_stmt* statement) const noexcept {
    sqlite3_finalize(statement);
}

Statement::Statement(Database& database, std::string_view sql)
    : connection_{database.connection_.get()} {
    sqlite3_stmt* prepared = nullptr;
    const int code = sqlite3_prepare_v3(connection_, sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &prepared, nullptr);
    statement_.reset(prepared);
    if (code != SQLITE_OK) refuse(connection_, code, sql);
}

void Statement::check(int code) const {
    if (code != SQLITE_OK) refuse(connection_, code, sqlite3_sql(statement_.get()));
}

Statement& Statement::bind(int at, std::int64_t value) {
    check(sqlite3_bind_int64(statement_.get(), at, value));
    return *this;
}

Statement& Statement::bind(int at, ByteView octets) {
    // A null pointer would bind NULL, not no octets.
    static constexpr char kNone = 0;
    const void* from = octets.empty() ? static_cast<const void*>(&kNone) : octets.data();
    check(sqlite3_bind_blob64(statement_.get(), at, from, octets.size(), SQLITE_STATIC));
    return *this;
}

bool Statement::step() {
    const int code = sqlite3_step(statement_.get());
    if (code == SQLITE_ROW) return true;
    sqlite3_reset(statement_.get());
    if (code != SQLITE_DONE) refuse(connection_, code, sqlite3_sql(statement_.get()));
    return false;
}

std::int64_t Statement::integer(int column) const noexcept {
    return sqlite3_column_int64(statement_.get(), column);
}

std::string_view Statement::text(int column) const noexcept {
    const auto* octets = static_cast<const char*>(sqlite3_column_blob(statement_.get(), column));
    return {octets, static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

ByteView Statement::octets(int column) const noexcept {
    const auto* octets =
        static_cast<const std::uint8_t*>(sqlite3_column_blob(statement_.get(), column));
    return {octets, static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

}  // namespace ra::store
