#pragma once

#include "ra/base/random.h"
#include "ra/exchange.h"
#include "ra/gateway/kdf_lane.h"
#include "ra/gateway/snapshots.h"

namespace ra::gateway {

struct Announcer;
class SecretGate;

/// What the gateway needs, all outliving it; one set a worker (Store, Inventory and Audit are
/// shared).
struct Services {
    Store& store;
    Inventory& inventory;
    Audit& audit;
    CpuPool& cpu;
    const Clock& clock;
    Timers& timers;
    Random& random;
    crypto::ChainVerifier& chains;
    SecretGate* secrets = nullptr;   // shared; null: no MAC verifies
    CpuPool* kdf_pool = nullptr;     // for slow key derivations; null: cpu
    KdfLane* kdf = nullptr;          // the gateway's own, which it sets
    Announcer* announcer = nullptr;  // shared; null: nobody may announce anything
};

/// The gateway of one worker: takes a message from a device through origin, POP, policy, upstream
/// and back (design: The life of a message). Never lets a message go without exactly one answer,
/// one audit record, and an end of what it began. Not thread-safe; runs on its worker's executor.
class Gateway final : public Exchange {
public:
    Gateway(Services services, SnapshotPtr snapshot);
    ~Gateway() override;

    asio::awaitable<Reply> exchange(Arrival arrival) override;

    /// From now on. Messages under way finish under what they began with; transactions go on with
    /// what they pinned, until `until` (S-06).
    void use(SnapshotPtr snapshot, BootTime until);
    void expire(BootTime now) { snapshots_.expire(now); }
    [[nodiscard]] const Snapshots& snapshots() const noexcept { return snapshots_; }
    [[nodiscard]] std::size_t running() const noexcept { return running_; }

private:
    Services services_;
    KdfLane kdf_;
    Snapshots snapshots_;
    std::size_t running_ = 0;
    struct Budget {
        std::chrono::nanoseconds refilled{};
        double tokens = 0;
    } signed_refusals_;
    bool spend_signature();
};

}  // namespace ra::gateway
