#pragma once

#include "tests/ra/store/subject.h"

/// What every Inventory must do. The harness is that of the Store (conformance.h), with
///
///     ra::gateway::Inventory& inventory();
namespace test::store {

inline ra::crypto::Sha256 key_named(unsigned number) { return principal(number).digest; }

inline policy::KeyHolder holder(unsigned who, std::size_t principals = 2) {
    policy::KeyHolder made;
    for (unsigned i = 0; i < principals; ++i) made.principals.push_back(principal(who + i));
    made.subject.fill(static_cast<std::uint8_t>(who));
    made.until = ra::WallTime{seconds{2'000'000'000 + who}};
    return made;
}

template <class Harness>
class InventorySubject {
public:
    explicit InventorySubject(const Bounds& bounds = {}) : harness_{bounds} {}

    Harness& harness() { return harness_; }
    Inventory& inventory() { return harness_.inventory(); }
    std::optional<Inventory::Entry> find(unsigned number) {
        const ra::crypto::Sha256 key = key_named(number);
        return run(inventory().find_key(key));
    }
    bool put(unsigned number, std::uint64_t version, policy::KeyHolder value) {
        const ra::crypto::Sha256 key = key_named(number);
        return run(inventory().put_key(key, version, std::move(value)));
    }
    void revoke(unsigned issuer, unsigned serial) {
        const ra::Bytes name = transaction_id(issuer, 30), number = transaction_id(serial, 8);
        run(inventory().add_revoked(name, number, ra::WallTime{seconds{2'000'000'000}}));
    }
    bool is_revoked(unsigned issuer, unsigned serial) {
        return inventory().is_revoked(transaction_id(issuer, 30), transaction_id(serial, 8));
    }

private:
    Harness harness_;
};

TEST_CASE_TEMPLATE_DEFINE("S-14: a certified key keeps its holder", Harness, inventory_keeps) {
    InventorySubject<Harness> s;
    CHECK_FALSE(s.find(1).has_value());
    for (const std::size_t principals : {1U, 2U, 4U}) {
        CAPTURE(principals);
        const auto number = static_cast<unsigned>(principals);
        REQUIRE(s.put(number, 0, holder(10 * number, principals)));
        const auto found = s.find(number);
        REQUIRE(found.has_value());
        CHECK(found->holder == holder(10 * number, principals));
        CHECK(found->version != 0);
    }
    CHECK(s.inventory().sizes().keys == 3);
}

TEST_CASE_TEMPLATE_DEFINE("S-14: only the version last read can change a holder", Harness,
                          inventory_versions) {
    InventorySubject<Harness> s;
    CHECK_FALSE(s.put(1, 7, holder(1)));
    CHECK_FALSE(s.find(1).has_value());
    REQUIRE(s.put(1, 0, holder(1)));
    CHECK_FALSE(s.put(1, 0, holder(2)));
    const auto first = s.find(1);
    REQUIRE(first.has_value());
    CHECK(first->holder == holder(1));
    CHECK_FALSE(s.put(1, first->version + 1, holder(2)));
    REQUIRE(s.put(1, first->version, holder(3)));
    CHECK_FALSE(s.put(1, first->version, holder(4)));
    const auto second = s.find(1);
    REQUIRE(second.has_value());
    CHECK(second->holder == holder(3));
    CHECK(second->version != first->version);
    CHECK(s.inventory().sizes().keys == 1);
}

TEST_CASE_TEMPLATE_DEFINE("S-14: keys are bounded, the oldest goes", Harness, inventory_bound) {
    Bounds bounds;
    bounds.certified_keys = 10;
    InventorySubject<Harness> s{bounds};
    for (unsigned i = 0; i < 15; ++i) REQUIRE(s.put(i, 0, holder(i)));
    CHECK(s.inventory().sizes().keys == 10);
    for (unsigned i = 0; i < 15; ++i) CHECK(s.find(i).has_value() == (i >= 5));
    // Forgotten, it is free for others.
    CHECK(s.put(1, 0, holder(99)));
}

TEST_CASE_TEMPLATE_DEFINE("S-33: revoked is what was named so, by issuer and serial number",
                          Harness, inventory_revoked) {
    InventorySubject<Harness> s;
    CHECK_FALSE(s.is_revoked(1, 1));
    s.revoke(1, 1);
    s.revoke(1, 1);
    CHECK(s.is_revoked(1, 1));
    CHECK_FALSE(s.is_revoked(1, 2));
    CHECK_FALSE(s.is_revoked(2, 1));
    CHECK(s.inventory().sizes().revoked == 1);
}

TEST_CASE_TEMPLATE_DEFINE("S-33: revoked certificates are bounded", Harness,
                          inventory_revoked_bound) {
    Bounds bounds;
    bounds.revoked = 10;
    InventorySubject<Harness> s{bounds};
    for (unsigned i = 0; i < 30; ++i) s.revoke(1, i);
    CHECK(s.inventory().sizes().revoked == 10);
    CHECK(s.is_revoked(1, 29));
    CHECK_FALSE(s.is_revoked(1, 0));
}

}  // namespace test::store

/// All of them for one harness.
#define CMPGATE_INVENTORY_CONFORMS(...)                         \
    TEST_CASE_TEMPLATE_INVOKE(inventory_keeps, __VA_ARGS__);    \
    TEST_CASE_TEMPLATE_INVOKE(inventory_versions, __VA_ARGS__); \
    TEST_CASE_TEMPLATE_INVOKE(inventory_bound, __VA_ARGS__);    \
    TEST_CASE_TEMPLATE_INVOKE(inventory_revoked, __VA_ARGS__);  \
    TEST_CASE_TEMPLATE_INVOKE(inventory_revoked_bound, __VA_ARGS__)
