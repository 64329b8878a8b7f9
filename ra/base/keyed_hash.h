#pragma once

#include <cstdint>

#include "ra/base/bytes.h"
#include "ra/base/random.h"

namespace ra {

/// SipHash-2-4 (Aumasson, Bernstein 2012), for what peers choose and must not be able to compute
/// the use of: the place of a record in a table (transactionIDs), a cookie for an address.
class KeyedHash {
public:
    explicit KeyedHash(Random& random) noexcept;
    constexpr KeyedHash(std::uint64_t k0, std::uint64_t k1) noexcept : k0_{k0}, k1_{k1} {}

    /// Of head || tail. The size of `head` is a multiple of 8.
    [[nodiscard]] std::uint64_t operator()(ByteView head, ByteView tail) const noexcept;
    [[nodiscard]] std::uint64_t operator()(ByteView octets) const noexcept {
        return (*this)({}, octets);
    }

private:
    std::uint64_t k0_ = 0, k1_ = 0;
};

}  // namespace ra
