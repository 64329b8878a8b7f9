#pragma once

#include <cstring>
#include <iterator>
#include <list>
#include <unordered_map>

#include "ra/crypto/digest.h"

namespace ra::crypto {

/// Digests are already evenly spread: their first octets are a hash.
struct DigestHash {
    std::size_t operator()(const Sha256& digest) const noexcept {
        std::size_t value = 0;
        std::memcpy(&value, digest.data(), sizeof value);
        return value;
    }
};

/// The `capacity` most recently used values by digest. Not thread-safe.
template <class Value>
class Lru {
public:
    explicit Lru(std::size_t capacity) : capacity_{capacity} {}

    /// Null if not there; valid until the next change.
    [[nodiscard]] Value* find(const Sha256& key) {
        const auto found = index_.find(key);
        if (found == index_.end()) return nullptr;
        order_.splice(order_.begin(), order_, found->second);
        return &found->second->second;
    }
    /// The same, and it is not used thereby.
    [[nodiscard]] const Value* peek(const Sha256& key) const {
        const auto found = index_.find(key);
        return found == index_.end() ? nullptr : &found->second->second;
    }
    Value& put(const Sha256& key, Value value) {
        erase(key);
        if (index_.size() >= capacity_) erase(Sha256{order_.back().first});
        order_.emplace_front(key, std::move(value));
        index_.emplace(key, order_.begin());
        return order_.front().second;
    }
    void erase(const Sha256& key) {
        const auto found = index_.find(key);
        if (found == index_.end()) return;
        order_.erase(found->second);
        index_.erase(found);
    }
    /// What the next put() of a new value drops; null: nothing.
    [[nodiscard]] const Sha256* next_to_go() const noexcept {
        return index_.size() >= capacity_ && !order_.empty() ? &order_.back().first : nullptr;
    }
    [[nodiscard]] std::size_t size() const noexcept { return index_.size(); }
    /// Drops all of which `gone(value)` is true.
    template <class Gone>
    void erase_if(Gone gone) {
        for (auto at = order_.begin(); at != order_.end();) {
            const auto next = std::next(at);
            if (gone(at->second)) erase(Sha256{at->first});
            at = next;
        }
    }
    void clear() noexcept {
        index_.clear();
        order_.clear();
    }

private:
    using Order = std::list<std::pair<Sha256, Value>>;
    std::size_t capacity_;
    Order order_;
    std::unordered_map<Sha256, typename Order::iterator, DigestHash> index_;
};

}  // namespace ra::crypto
