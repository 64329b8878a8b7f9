#pragma once

#include <deque>
#include <map>
#include <mutex>

#include "ra/gateway/secrets.h"
#include "ra/gateway/verified_mac.h"

namespace ra::gateway {

/// Derived keys of open transactions, so that a device that keeps its parameters (RFC 9810
/// 5.1.3.1) costs one derivation. One a transaction, bounded in number and time, in memory only;
/// shared by all workers.
class MacKeys {
public:
    MacKeys(const Clock& clock, std::size_t most) noexcept : clock_{clock}, most_{most} {}

    /// The key of this transaction if it was derived from this secret with these parameters.
    [[nodiscard]] VerifiedMacPtr find(const SecretUse& secret, ByteView transaction_id,
                                      ByteView algorithm);
    void keep(const SecretUse& secret, ByteView transaction_id, VerifiedMacPtr mac, BootTime until);
    /// The transaction has ended.
    void drop(const SecretUse& secret, ByteView transaction_id);
    [[nodiscard]] std::size_t size() const;

private:
    using Id = crypto::Sha256;
    struct Entry {
        VerifiedMacPtr mac;
        BootTime until{};
        std::uint64_t number = 0;
    };
    [[nodiscard]] static Id id_of(const SecretUse& secret, ByteView transaction_id);

    const Clock& clock_;
    const std::size_t most_;
    mutable std::mutex mutex_;
    std::map<Id, Entry> entries_;
    std::deque<std::pair<std::uint64_t, Id>> order_;  // of keeping; dropped ones stay a while
    std::uint64_t last_number_ = 0;
};

}  // namespace ra::gateway
