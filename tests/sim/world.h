#pragma once

#include <memory>
#include <vector>

#include "ra/gateway/gateway.h"
#include "ra/store/memory.h"
#include "ra/store/memory_inventory.h"
#include "tests/sim/sim_ca.h"
#include "tests/sim/sim_store.h"

namespace test::sim {

/// What attackers know of a transaction: all that went over the wire.
struct Overheard {
    std::size_t device = 0;
    Way way{};
    ra::Bytes transaction_id;
    ra::Bytes last_message;
    ra::Bytes ca_nonce;
};

/// Two workers of one gateway, their store, the CA, and what holds at every moment.
class World {
public:
    World(std::uint64_t seed, bool trace);
    ~World();

    /// One message to one of the workers. Throws std::logic_error where the gateway breaks a rule.
    asio::awaitable<ra::Reply> call(ra::Bytes octets, Way way, ra::Bytes transaction_id,
                                    bool genuine);

    /// Runs until every spawned coroutine ended, then until all that was begun must have ended.
    void run();

    /// Every worker runs by the next configuration, with `change` made to it; what is open may go
    /// on under what it pinned for `grace`.
    void reload(const std::function<void(ra::gateway::Settings&)>& change, Span grace);

    Kernel kernel;
    Faults faults;
    Genuine genuine;
    SimCa ca;
    std::vector<Overheard> overheard;
    std::size_t repeated = 0;  // messages sent again that got the CA's answer again

    [[nodiscard]] ra::gateway::Store::Sizes sizes() const { return memory_.sizes(); }
    [[nodiscard]] ra::gateway::Store& store() noexcept { return memory_; }
    [[nodiscard]] std::size_t calls() const noexcept { return calls_; }
    void say(const std::string& what) const;

private:
    struct Audit final : ra::gateway::Audit {
        explicit Audit(const World& world) noexcept : world_{world} {}
        void record(const ra::gateway::Ended& ended) override;
        std::size_t records = 0;

    private:
        const World& world_;
    };
    [[nodiscard]] ra::gateway::SnapshotPtr snapshot();
    [[nodiscard]] static ra::gateway::SettingsPtr settings(std::uint64_t generation);
    void check_step();
    asio::awaitable<void> disturb();

    bool trace_;
    std::size_t calls_ = 0, answers_ = 0;
    std::uint64_t generation_ = 0;
    Span swept_{0};
    ra::store::Memory memory_;
    ra::store::MemoryInventory inventory_;
    SimStore store_;
    SimUpstream upstream_;
    SimCpuPool pool_;
    Audit audit_;
    ra::crypto::ChainVerifier chains_;
    std::vector<std::unique_ptr<ra::gateway::Gateway>> workers_;
};

}  // namespace test::sim
