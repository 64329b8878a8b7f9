#pragma once

#include <boost/container/small_vector.hpp>

#include "ra/base/bytes.h"

namespace ra {

/// Octets we own that are few as a rule: up to 32 are held in place, without allocation. For
/// transactionIDs and nonces (16 octets, RFC 9810 5.1.1), of which each message has several.
class ShortBytes {
public:
    ShortBytes() noexcept = default;
    // Converts like the value it holds.
    ShortBytes(ByteView octets) : octets_(octets.begin(), octets.end()) {}           // NOLINT
    ShortBytes(const Bytes& octets) : ShortBytes{ByteView{octets}} {}                // NOLINT
    operator ByteView() const noexcept { return {octets_.data(), octets_.size()}; }  // NOLINT

    [[nodiscard]] std::size_t size() const noexcept { return octets_.size(); }
    [[nodiscard]] bool empty() const noexcept { return octets_.empty(); }

    friend bool operator==(const ShortBytes& a, const ShortBytes& b) noexcept {
        return equal(a, b);
    }

private:
    boost::container::small_vector<std::uint8_t, 32> octets_;
};

}  // namespace ra
