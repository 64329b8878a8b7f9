#pragma once

#include <string_view>

#include "ra/base/bytes.h"

namespace policy {

/// What stands for one peer where peers are counted: an IPv4 address, the first 64 bits of an IPv6
/// one (whoever has one address there has all), an IPv4-mapped one as IPv4. `address` is numeric,
/// as transports write it; anything else stands for itself.
[[nodiscard]] ra::Bytes source_prefix(std::string_view address);

}  // namespace policy
