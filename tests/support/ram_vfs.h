#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "ra/base/bytes.h"
#include "tests/support/seeded_random.h"

namespace test {

/// A file system in memory for SQLite, which records what is written and synced, in order, and can
/// refuse. Thread-safe; one connection at a time to each file.
class RamVfs {
public:
    struct Operation {
        enum class Kind : std::uint8_t { write, truncate, sync, remove } kind{};
        std::string file;
        std::uint64_t at = 0;  // write: offset; truncate: size
        ra::Bytes octets;
        bool durable = false;  // remove: with the directory synced
    };
    using Files = std::map<std::string, ra::Bytes>;

    /// Registers itself with SQLite, with a name of its own.
    RamVfs();
    RamVfs(const RamVfs&) = delete;
    RamVfs& operator=(const RamVfs&) = delete;
    ~RamVfs();

    [[nodiscard]] const std::string& name() const noexcept;
    [[nodiscard]] Files files() const;
    void put(Files files);
    void record(bool on);
    [[nodiscard]] std::vector<Operation> operations() const;
    [[nodiscard]] std::size_t recorded() const;

    /// From now on every write (false: none) fails: no room.
    void set_full(bool full) noexcept;
    /// From now on every sync fails.
    void set_broken(bool broken) noexcept;
    [[nodiscard]] std::uint64_t syncs() const noexcept;

    struct State;

private:
    std::unique_ptr<State> state_;
};

/// What a power failure leaves of recorded operations: all that was synced, and of the rest
/// nothing, everything, or any part, torn at sectors.
class CrashImages {
public:
    explicit CrashImages(std::vector<RamVfs::Operation> operations)
        : operations_{std::move(operations)} {}

    enum class Unsynced : std::uint8_t { dropped, kept, torn };
    /// The next operation happens. False: there is none.
    bool advance();
    /// Operations that have happened.
    [[nodiscard]] std::size_t at() const noexcept { return at_; }
    [[nodiscard]] RamVfs::Files image(Unsynced unsynced, SeededRandom& random) const;

private:
    std::vector<RamVfs::Operation> operations_;
    std::size_t at_ = 0;
    RamVfs::Files durable_;
    std::vector<std::size_t> pending_;  // not synced, in order
};

}  // namespace test
