#pragma once

#include <doctest/doctest.h>

#include <chrono>
#include <cstring>
#include <optional>

#include "ra/gateway/ports.h"
#include "tests/support/run.h"

namespace test::store {

using namespace ra::gateway;
using std::chrono::seconds;

/// Bounds the store under test is made with.
struct Bounds {
    std::size_t open = 1000;
    std::size_t open_per_principal = 100;
    std::size_t remembered = 1000;
    std::size_t remembered_per_principal = 100;
    unsigned opaque_percent = 50;
    std::size_t kept_octets = 1'000'000;
    std::size_t watches_per_record = 8;
    std::size_t certified_keys = 100;  // of the Inventory, as the next one
    std::size_t revoked = 100;
};

inline policy::Principal principal(unsigned number) {
    policy::Principal made;
    std::memcpy(made.digest.data(), &number, sizeof number);
    made.digest[31] = 0x5a;
    return made;
}

inline ra::Bytes transaction_id(unsigned number, std::size_t size = 16) {
    ra::Bytes id(size, 0x7e);
    std::memcpy(id.data(), &number, sizeof number);
    return id;
}

inline TransactionKey key(unsigned who, unsigned which) {
    return {principal(who), transaction_id(which)};
}

inline std::shared_ptr<const ra::Bytes> octets(std::size_t size, std::uint8_t fill = 0xab) {
    return std::make_shared<const ra::Bytes>(size, fill);
}

/// A store and what a gateway would ask of it.
template <class Harness>
class Subject {
public:
    explicit Subject(const Bounds& bounds = {}) : harness_{bounds} {}

    Store& store() { return harness_.store(); }
    Harness& harness() { return harness_; }
    void pass(seconds time) { harness_.pass(time); }

    Record record(State state, std::uint8_t digest = 1) {
        Record made;
        made.state = state;
        made.request_type = ra::cmp::BodyType::ir;
        made.request_digest.fill(digest);
        made.profile = "factory floor, line 4";
        made.upstream = "ca";
        made.label = "devices";
        made.operation = ra::Operation::ir;
        made.ee_nonce = transaction_id(11);
        made.first_nonce = transaction_id(12);
        made.ca_nonce = transaction_id(13);
        made.cert_req_id = 7;
        made.implicit_confirm_requested = true;
        made.verified = true;
        made.treatment = policy::Treatment::raverified;
        made.credential.fill(0x21);
        made.answer_credential.fill(0x22);
        made.sent_as_cr = true;
        made.url = 3;
        made.expires = harness_.now() + seconds{300};
        made.remember_until = harness_.now() + seconds{900};
        return made;
    }
    Record finished(std::size_t answer = 100, std::uint8_t digest = 1) {
        Record made = record(State::finished, digest);
        if (answer != 0) made.answer = octets(answer);
        return made;
    }

    std::optional<Versioned> find(const TransactionKey& k) { return run(store().find(k)); }
    std::vector<Versioned> claims(unsigned which) {
        const ra::Bytes id = transaction_id(which);
        return run(store().find_claims(id));
    }
    BeginResult begin(const TransactionKey& k) { return begin(k, record(State::in_flight)); }
    BeginResult begin(const TransactionKey& k, Record r) {
        return run(store().begin(k, std::move(r)));
    }
    /// Begins what must be possible; its version.
    std::uint64_t begun(const TransactionKey& k) {
        const auto result = begin(k);
        REQUIRE(std::holds_alternative<Begun>(result));
        return std::get<Begun>(result).version;
    }
    std::optional<std::uint64_t> advance(const TransactionKey& k, std::uint64_t version, Record r) {
        const auto result = run(store().advance(k, version, std::move(r)));
        if (const auto* advanced = std::get_if<Advanced>(&result)) return advanced->version;
        return std::nullopt;
    }
    bool release(const TransactionKey& k, std::uint64_t version) {
        return std::holds_alternative<Advanced>(run(store().release(k, version)));
    }
    void finish(const TransactionKey& k, std::size_t answer = 100) {
        REQUIRE(advance(k, begun(k), finished(answer)).has_value());
    }
    std::optional<std::string_view> full(const TransactionKey& k) {
        const auto result = begin(k);
        if (const auto* bound = std::get_if<Full>(&result)) return bound->bound;
        return std::nullopt;
    }
    bool is_empty() {
        const auto sizes = store().sizes();
        CAPTURE(sizes.open);
        CAPTURE(sizes.remembered);
        CAPTURE(sizes.kept_octets);
        CAPTURE(sizes.watches);
        CHECK(sizes.open == 0);
        CHECK(sizes.remembered == 0);
        CHECK(sizes.kept_octets == 0);
        CHECK(sizes.watches == 0);
        return sizes.open + sizes.remembered + sizes.kept_octets + sizes.watches == 0;
    }

private:
    Harness harness_;
};

}  // namespace test::store
