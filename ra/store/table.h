#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <memory>
#include <vector>

namespace ra::store {

/// Names an element of a Slab.
using Index = std::uint32_t;
inline constexpr Index kNone = 0xffffffff;

/// Elements at stable addresses, named by 32 bits, re-used before more memory is taken. T has
/// `Index next`, which this uses while an element is free. Never shrinks.
template <class T>
class Slab {
public:
    /// A default-constructed element, or one as give() left it.
    Index take() {
        if (free_ != kNone) {
            const Index index = free_;
            free_ = (*this)[index].next;
            return index;
        }
        if (used_ % kChunk == 0) chunks_.push_back(std::make_unique<T[]>(kChunk));
        return used_++;
    }
    /// The caller has emptied it.
    void give(Index index) noexcept {
        (*this)[index].next = free_;
        free_ = index;
    }
    T& operator[](Index index) noexcept { return chunks_[index / kChunk][index % kChunk]; }
    const T& operator[](Index index) const noexcept {
        return chunks_[index / kChunk][index % kChunk];
    }
    /// All elements ever taken are 0..end()-1.
    [[nodiscard]] Index end() const noexcept { return used_; }

private:
    // Two pages of elements at a time, at least 8: there are many small slabs.
    static constexpr Index kChunk =
        std::bit_floor(static_cast<Index>(std::max<std::size_t>(8, 8192 / sizeof(T))));
    std::vector<std::unique_ptr<T[]>> chunks_;
    Index used_ = 0;
    Index free_ = kNone;
};

/// A Slab with a hash index: chains through T::next, buckets by T::hash(). Several elements may
/// have the same hash.
template <class T>
class Table {
public:
    /// First element of the bucket of `hash`; follow `next` and compare. kNone: empty.
    [[nodiscard]] Index first(std::uint64_t hash) const noexcept {
        return heads_.empty() ? kNone : heads_[bucket(hash)];
    }
    T& operator[](Index index) noexcept { return slab_[index]; }
    const T& operator[](Index index) const noexcept { return slab_[index]; }
    [[nodiscard]] Index end() const noexcept { return slab_.end(); }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    /// An element not yet findable: fill it, then link().
    Index take() { return slab_.take(); }
    void link(Index index) {
        if (size_ >= heads_.size()) grow();
        ++size_;
        push(index);
    }
    /// Out of its bucket and free; the caller empties it first, but for hash().
    void erase(Index index) noexcept {
        Index* at = &heads_[bucket(slab_[index].hash())];
        while (*at != index) at = &slab_[*at].next;
        *at = slab_[index].next;
        --size_;
        slab_.give(index);
    }

private:
    [[nodiscard]] std::size_t bucket(std::uint64_t hash) const noexcept {
        return static_cast<std::size_t>(hash) & (heads_.size() - 1);
    }
    void push(Index index) noexcept {
        Index& head = heads_[bucket(slab_[index].hash())];
        slab_[index].next = head;
        head = index;
    }
    void grow() {
        std::vector<Index> old(heads_.empty() ? 16 : heads_.size() * 2, kNone);
        old.swap(heads_);
        for (Index head : old) {
            while (head != kNone) {
                const Index next = slab_[head].next;
                push(head);
                head = next;
            }
        }
    }

    Slab<T> slab_;
    std::vector<Index> heads_;  // a power of two
    std::size_t size_ = 0;
};

}  // namespace ra::store
