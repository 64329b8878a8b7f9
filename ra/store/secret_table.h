#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string_view>

#include "ra/gateway/ports.h"

namespace ra::store {

/// The secrets of the memory store and the uses that transactions hold of them. Thread-safe; may be
/// called with a shard's lock held.
class SecretTable {
public:
    explicit SecretTable(std::size_t most) noexcept : most_{most} {}

    [[nodiscard]] std::optional<gateway::KnownSecret> find(ByteView reference) const;
    [[nodiscard]] gateway::Secrets::Added add(gateway::NewSecret&& secret);
    [[nodiscard]] std::vector<gateway::SecretInfo> list() const;
    [[nodiscard]] bool revoke(ByteView reference);
    [[nodiscard]] bool lock(ByteView reference, std::uint64_t generation);

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
    };
    const std::size_t most_;
    mutable std::mutex mutex_;
    std::map<crypto::Sha256, Entry> entries_;  // by digest of the reference
    std::uint64_t last_generation_ = 0;
};

}  // namespace ra::store
