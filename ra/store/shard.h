#pragma once

#include <boost/container/small_vector.hpp>
#include <functional>
#include <mutex>
#include <utility>

#include "ra/gateway/ports.h"
#include "ra/store/kept_answers.h"
#include "ra/store/principals.h"
#include "ra/store/table.h"

namespace ra::store {

/// {principal, transactionID}, hashed with two secret keys: 128 bits, so that a replay entry need
/// not hold up to 96 octets.
struct Fingerprint {
    std::uint64_t first = 0, second = 0;
    friend bool operator==(const Fingerprint&, const Fingerprint&) = default;
};

/// An open transaction. Found by its transactionID alone: there is one per upstream at most, so
/// that one look yields record, claim and holder.
struct Open {
    ShortBytes transaction_id;
    policy::Principal principal;
    std::uint64_t id_hash = 0;
    std::uint64_t version = 0;  // 0: this slot is free
    gateway::Record record;
    std::vector<std::pair<gateway::Store::WatchId, std::function<void()>>> watches;
    std::size_t octets = 0;  // of answer and request
    bool leased = false;     // its next state is being written down: nobody else changes it
    bool lost = false;  // outcome_unknown: its principal's bound of open ones counts it no more
    Principals::Ref ref = 0;
    Index next = kNone;
    [[nodiscard]] std::uint64_t hash() const noexcept { return id_hash; }
};

/// What remains of a finished transaction inside its replay horizon (S-05).
struct Remembered {
    Fingerprint fingerprint;
    crypto::Sha256 digest{};
    std::uint32_t until : 31 = 0;   // seconds since the store was made, rounded up; 0: free
    std::uint32_t unknown : 1 = 0;  // ended as outcome_unknown
    Principals::Ref ref = 0;
    KeptAnswers::Ticket kept = KeptAnswers::kNone;  // its owner there: fingerprint.second
    Index next = kNone;
    [[nodiscard]] std::uint64_t hash() const noexcept { return fingerprint.first; }
};
static_assert(sizeof(Remembered) <= 64, "S-05");

/// What a call must do after it has let the lock go: made before the lock, it ends after it.
struct Afterwards {
    Afterwards() = default;
    Afterwards(const Afterwards&) = delete;
    Afterwards& operator=(const Afterwards&) = delete;
    ~Afterwards() {
        for (const auto& one : changed) one();
    }

    boost::container::small_vector<std::function<void()>, 1> changed;
    boost::container::small_vector<std::shared_ptr<const Bytes>, 2> octets;  // freed with this
};

/// A share of the transactions, by hash of transactionID. All but `mutex` is guarded by it.
struct alignas(64) Shard {
    mutable std::mutex mutex;
    Table<Open> open;
    Table<Remembered> remembered;
    std::uint64_t last_version = 0;
    gateway::Store::WatchId last_watch = 0;
    Index swept = 0;  // open first, then remembered
};

}  // namespace ra::store
