#include "tests/sim/sim_store.h"

#include <stdexcept>

namespace test::sim {

using namespace ra::gateway;

asio::awaitable<void> SimStore::slowly() {
    SeededRandom& random = kernel_.random();
    if (random.chance(faults_.store_slow)) {
        co_await kernel_.sleep(std::chrono::microseconds{random.below(200'000)});
    }
}

void SimStore::check_genuine(const TransactionKey& key, const char* what) const {
    if (genuine_.any(ra::to_bytes(key.transaction_id))) return;
    throw std::logic_error{std::string{"S-01: "} + what + " of transaction " +
                           ra::to_hex(key.transaction_id) +
                           " while no genuine message of it is under way"};
}

asio::awaitable<std::optional<Versioned>> SimStore::find(const TransactionKey& key) {
    co_await slowly();
    co_return co_await inner_.find(key);
}

asio::awaitable<std::vector<Versioned>> SimStore::find_claims(ra::ByteView transaction_id) {
    co_await slowly();
    co_return co_await inner_.find_claims(transaction_id);
}

asio::awaitable<BeginResult> SimStore::begin(const TransactionKey& key, Record record) {
    co_await slowly();
    check_genuine(key, "begin");
    if (record.state != State::in_flight) throw std::logic_error{"begun in another state"};
    BeginResult result = co_await inner_.begin(key, std::move(record));
    co_await slowly();
    co_return result;
}

asio::awaitable<AdvanceResult> SimStore::advance(const TransactionKey& key, std::uint64_t version,
                                                 Record record) {
    co_await slowly();
    check_genuine(key, "advance");
    if (kernel_.random().chance(faults_.store_conflict)) co_return Conflict{};
    const auto before = co_await inner_.find(key);
    if (before && before->version == version) {
        const Record& was = before->record;
        const bool pinned = was.profile == record.profile && was.upstream == record.upstream &&
                            was.signer == record.signer && was.verified == record.verified &&
                            was.request_type == record.request_type && was.payer == record.payer;
        if (!pinned) throw std::logic_error{"S-06: what a transaction pins has changed"};
        if (was.responder != nullptr && was.responder != record.responder &&
            was.responder->digest() != record.responder->digest()) {
            throw std::logic_error{"R-021: the responder has changed"};
        }
    }
    AdvanceResult result = co_await inner_.advance(key, version, std::move(record));
    co_await slowly();
    co_return result;
}

asio::awaitable<AdvanceResult> SimStore::release(const TransactionKey& key, std::uint64_t version) {
    co_await slowly();
    check_genuine(key, "release");
    co_return co_await inner_.release(key, version);
}

}  // namespace test::sim
