#pragma once

#include <map>
#include <mutex>
#include <vector>

#include "ra/crypto/signer.h"
#include "ra/labca/transactions.h"

namespace ra::labca {

/// What was issued to whom, and what was revoked. Any thread.
class Ledger {
public:
    explicit Ledger(std::size_t most) noexcept : most_{most} {}

    struct Entry {
        Bytes serial;  // INTEGER content
        Principal principal;
        Bytes transaction_id;
        bool revoked = false;
    };

    /// False: full.
    [[nodiscard]] bool add(Entry entry);
    enum class Status : std::uint8_t { unknown, good, revoked };
    [[nodiscard]] Status status(ByteView serial) const;
    /// `when` and `reason` (RFC 5280 5.3.1) go into the CRL. The status it had.
    Status revoke(ByteView serial, WallTime when, int reason);

    [[nodiscard]] std::size_t size() const;
    /// In order of issue.
    [[nodiscard]] std::vector<Entry> entries() const;

    struct Revocations {
        std::uint64_t number = 0;  // increases with each change
        std::vector<crypto::RevokedEntry> list;
    };
    [[nodiscard]] Revocations revocations() const;

private:
    const std::size_t most_;
    mutable std::mutex lock_;
    std::vector<Entry> entries_;
    std::map<Bytes, std::size_t> by_serial_;
    Revocations revocations_{1, {}};
};

}  // namespace ra::labca
