#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace ra::store {

/// The file beside a store: whose it is while it runs, and how far it has come.
///
/// A lock on it admits one process. The mark is a count that only grows; the store has the same one
/// inside. A store whose own is lower was put back from a backup, and does not know what happened
/// since (S-24). So this file must not be in the backup.
class Guard {
public:
    /// Creates or opens, and locks, `path`. Throws std::runtime_error: another process has it (its
    /// pid is said), the file cannot be opened, or is open to others than its owner.
    explicit Guard(const std::string& path);
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;
    ~Guard();

    /// As last written; nullopt: the file is new.
    [[nodiscard]] std::optional<std::uint64_t> mark() const noexcept { return mark_; }
    /// False: it could not be written. `sync`: on the disk when this returns.
    bool write(std::uint64_t mark, bool sync) noexcept;

private:
    std::string path_;
    int file_ = -1;
    std::optional<std::uint64_t> mark_;
};

/// Makes `path` if it is not there, for its owner alone. Throws std::runtime_error: it cannot be
/// made, is no regular file, or others may open it. True: it is new.
bool make_private_file(const std::string& path);

}  // namespace ra::store
