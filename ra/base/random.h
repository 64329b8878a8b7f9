#pragma once

#include <span>

#include "ra/base/bytes.h"

namespace ra {

/// Where nonces, transactionIDs and trace ids come from. The simulator has a seeded one.
struct Random {
    virtual ~Random() = default;
    virtual void fill(std::span<std::uint8_t> octets) noexcept = 0;

    [[nodiscard]] Bytes octets(std::size_t count) {
        Bytes made(count);
        fill(made);
        return made;
    }
};

/// The kernel's generator (getrandom), buffered per object; one object per thread.
class SystemRandom final : public Random {
public:
    void fill(std::span<std::uint8_t> octets) noexcept override;

private:
    static constexpr std::size_t kPool = 1024;
    std::uint8_t pool_[kPool]{};
    std::size_t used_ = kPool;
};

}  // namespace ra
