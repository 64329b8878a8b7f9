#pragma once

#include <array>
#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "ra/gateway/ports.h"

namespace ra::store {

/// How many secrets there are, and when the good ones end (S-44).
struct SecretFigures {
    std::size_t good = 0, spent = 0, expired = 0, locked = 0;
    /// Good ones that end within a day, a week, 30 days; each counts the sooner ones, too.
    std::array<std::size_t, 3> ending{};
    std::optional<WallTime> next;  // when the first of the good ones ends; nullopt: none does
};
inline constexpr std::array<std::chrono::seconds, 3> kSecretEnds{
    std::chrono::days{1}, std::chrono::days{7}, std::chrono::days{30}};

/// The secrets of the memory store and the uses that transactions hold of them. Thread-safe; may be
/// called with a shard's lock held.
class SecretTable {
public:
    explicit SecretTable(std::size_t most) noexcept : most_{most} {}

    [[nodiscard]] std::optional<gateway::KnownSecret> find(ByteView reference) const;
    [[nodiscard]] gateway::Secrets::Added add(gateway::NewSecret&& secret);
    [[nodiscard]] std::vector<gateway::SecretInfo> list() const;
    /// Looks at all of them, a few under one lock.
    [[nodiscard]] SecretFigures figures(WallTime now) const;
    [[nodiscard]] bool revoke(ByteView reference);
    [[nodiscard]] bool lock(ByteView reference, std::uint64_t generation);

    /// For a store that writes down what this one holds. All there is to know of one secret.
    struct Row {
        gateway::NewSecret secret;
        std::uint64_t generation = 0;
        std::uint32_t used = 0;
        bool locked = false;
    };
    /// nullopt: there is none.
    [[nodiscard]] std::optional<Row> row(const crypto::Sha256& reference) const;
    /// Puts back what an earlier process had.
    void restore(Row row);
    /// Generations given from now on are greater.
    void raise_generation(std::uint64_t least) noexcept;
    /// Whose uses have changed since this was asked last.
    [[nodiscard]] std::vector<crypto::Sha256> take_changed();
    /// A use that an open transaction holds, put back.
    void restore_use(const gateway::SecretUse& use) noexcept;

    /// Takes one use; or the bound that forbids it.
    [[nodiscard]] std::optional<std::string_view> reserve(const gateway::SecretUse& use);
    /// What became of a reserved use; `reserved` means used up, too. Of a secret that is gone:
    /// nothing.
    void settle(const gateway::SecretUse& use, gateway::SecretUse::Fate fate) noexcept;

private:
    struct Entry {
        gateway::NewSecret secret;
        std::uint64_t generation = 0;
        std::uint32_t used = 0, reserved = 0;
        bool locked = false;
        bool changed = false;  // used, since take_changed()
    };
    static void count(const Entry& entry, WallTime now, SecretFigures& figures) noexcept;

    const std::size_t most_;
    mutable std::mutex mutex_;
    std::map<crypto::Sha256, Entry> entries_;  // by digest of the reference
    std::uint64_t last_generation_ = 0;
    bool changed_ = false;  // one of them
};

}  // namespace ra::store
