#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "ra/base/bytes.h"

struct sqlite3;
struct sqlite3_stmt;

namespace ra::store {

/// The database refused: its words, and SQLite's (extended) result code. Thrown at start-up, and on
/// the store's own thread, where Journal catches it; never on the message path.
class DatabaseFault : public std::runtime_error {
public:
    DatabaseFault(int code, const std::string& what) : std::runtime_error{what}, code_{code} {}
    [[nodiscard]] int code() const noexcept { return code_; }

private:
    int code_;
};

/// One connection to an SQLite file. Not thread-safe.
class Database {
public:
    enum class Access : std::uint8_t { write, read };
    /// `vfs`: SQLite's name of it; empty: the system's. Write access creates the file (mode by
    /// umask: whoever wants 0600 makes it before). Throws DatabaseFault.
    Database(const std::string& path, const std::string& vfs, Access access = Access::write);

    void execute(const std::string& sql);
    /// The first column of the first row; 0: no row.
    [[nodiscard]] std::int64_t integer(const std::string& sql);
    [[nodiscard]] std::string text(const std::string& sql);
    /// Rows the last statement changed.
    [[nodiscard]] std::int64_t changes() const noexcept;
    /// Pages in the write-ahead log after the last commit.
    [[nodiscard]] int log_pages() const noexcept { return *log_pages_; }
    /// Copies what is committed from the log into the file, as far as readers allow.
    void checkpoint();

    /// Rolls back when it ends without commit().
    class Transaction {
    public:
        explicit Transaction(Database& database) : database_{database} {
            database_.execute("BEGIN IMMEDIATE");
        }
        Transaction(const Transaction&) = delete;
        Transaction& operator=(const Transaction&) = delete;
        ~Transaction();
        void commit() {
            database_.execute("COMMIT");
            open_ = false;
        }

    private:
        Database& database_;
        bool open_ = true;
    };

private:
    friend class Statement;
    struct Close {
        void operator()(sqlite3* connection) const noexcept;
    };
    // Its address is given to SQLite, so it stays where it is.
    std::unique_ptr<int> log_pages_ = std::make_unique<int>(0);
    std::unique_ptr<sqlite3, Close> connection_;
};

/// A prepared statement. Octets bound must live until step().
class Statement {
public:
    Statement(Database& database, std::string_view sql);

    Statement& bind(int at, std::int64_t value);
    Statement& bind(int at, ByteView octets);
    /// True: there is a row to look at. False: done, and ready to be bound again.
    bool step();
    /// For statements that yield no rows.
    void run() {
        while (step()) {
        }
    }
    [[nodiscard]] std::int64_t integer(int column) const noexcept;
    [[nodiscard]] std::string_view text(int column) const noexcept;
    /// Valid until the next step().
    [[nodiscard]] ByteView octets(int column) const noexcept;

private:
    struct Finalize {
        void operator()(sqlite3_stmt* statement) const noexcept;
    };
    void check(int code) const;

    sqlite3* connection_;
    std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

}  // namespace ra::store
