#pragma once

#include <map>
#include <string>

#include "ra/gateway/ports.h"
#include "tests/sim/faults.h"
#include "tests/sim/kernel.h"

namespace test::sim {

/// Which transactionIDs have a genuine message under way right now. Whatever changes another one's
/// record was no genuine message (S-01).
class Genuine {
public:
    void enter(const ra::Bytes& transaction_id) { ++under_way_[transaction_id]; }
    void leave(const ra::Bytes& transaction_id) {
        const auto found = under_way_.find(transaction_id);
        if (--found->second == 0) under_way_.erase(found);
    }
    [[nodiscard]] bool any(const ra::Bytes& transaction_id) const {
        return under_way_.contains(transaction_id);
    }

private:
    std::map<ra::Bytes, unsigned> under_way_;
};

/// A store that is slow and loses races at times, and that sees whether the gateway keeps the
/// rules: throws std::logic_error where a record changes that must not, or changes what is pinned
/// (S-06).
class SimStore final : public ra::gateway::Store {
public:
    SimStore(Kernel& kernel, const Faults& faults, const Genuine& genuine,
             ra::gateway::Store& inner) noexcept
        : kernel_{kernel}, faults_{faults}, genuine_{genuine}, inner_{inner} {}

    asio::awaitable<std::optional<ra::gateway::Versioned>> find(
        const ra::gateway::TransactionKey& key) override;
    asio::awaitable<std::vector<ra::gateway::Versioned>> find_claims(
        ra::ByteView transaction_id) override;
    asio::awaitable<ra::gateway::BeginResult> begin(const ra::gateway::TransactionKey& key,
                                                    ra::gateway::Record record) override;
    asio::awaitable<ra::gateway::AdvanceResult> advance(const ra::gateway::TransactionKey& key,
                                                        std::uint64_t version,
                                                        ra::gateway::Record record) override;
    asio::awaitable<ra::gateway::AdvanceResult> release(const ra::gateway::TransactionKey& key,
                                                        std::uint64_t version) override;
    WatchId watch(const ra::gateway::TransactionKey& key, std::uint64_t version,
                  std::function<void()> changed) override {
        return inner_.watch(key, version, std::move(changed));
    }
    void unwatch(const ra::gateway::TransactionKey& key, WatchId id) noexcept override {
        inner_.unwatch(key, id);
    }
    [[nodiscard]] Sizes sizes() const override { return inner_.sizes(); }

private:
    asio::awaitable<void> slowly();
    void check_genuine(const ra::gateway::TransactionKey& key, const char* what) const;

    Kernel& kernel_;
    const Faults& faults_;
    const Genuine& genuine_;
    ra::gateway::Store& inner_;
};

}  // namespace test::sim
