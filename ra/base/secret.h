#pragma once

#include <utility>

#include "ra/base/bytes.h"

namespace ra {

/// Overwrites memory in a way the compiler keeps.
void wipe(void* memory, std::size_t size) noexcept;

/// Constant in time for equal sizes: for MACs, secrets and nonces.
[[nodiscard]] bool equal_secret(ByteView a, ByteView b) noexcept;

/// Octets that wipe themselves, cannot be copied by accident and have no way to be printed.
class Secret {
public:
    Secret() = default;
    explicit Secret(Bytes octets) noexcept : octets_{std::move(octets)} {}
    Secret(const Secret&) = delete;
    Secret& operator=(const Secret&) = delete;
    Secret(Secret&& other) noexcept : octets_{std::exchange(other.octets_, {})} {}
    Secret& operator=(Secret&& other) noexcept {
        if (this != &other) {
            clear();
            octets_ = std::exchange(other.octets_, {});
        }
        return *this;
    }
    ~Secret() { clear(); }

    /// For the one call that needs the octets; valid while this lives.
    [[nodiscard]] ByteView reveal() const noexcept { return octets_; }
    [[nodiscard]] bool empty() const noexcept { return octets_.empty(); }

private:
    void clear() noexcept {
        wipe(octets_.data(), octets_.size());
        octets_.clear();
    }

    Bytes octets_;
};

}  // namespace ra
