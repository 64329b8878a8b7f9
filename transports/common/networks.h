#pragma once

#include <string_view>
#include <vector>

#include "ra/base/bytes.h"

namespace transports::common {

/// "192.0.2.0/24", "2001:db8::/32", or one address.
class Network {
public:
    /// Throws std::invalid_argument saying what was expected. Host bits must be zero.
    [[nodiscard]] static Network parse(std::string_view text);

    /// `address`: numeric, as PeerFacts has it.
    [[nodiscard]] bool contains(std::string_view address) const;

private:
    ra::Bytes prefix_;  // 4 or 16 octets
    unsigned bits_ = 0;
};

[[nodiscard]] bool contains(const std::vector<Network>& networks, std::string_view address);

}  // namespace transports::common
