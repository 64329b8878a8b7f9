#pragma once

#include <string>
#include <string_view>

#include "ra/base/bytes.h"

namespace ra::gateway {

/// What a message that waits for its answer is called at the upstream: of transactionID and the
/// nonce it was sent with, so that it is found again after a restart. Empty without a nonce.
[[nodiscard]] std::string ticket_of(ByteView transaction_id, ByteView parked_nonce);

/// Whether a collected answer that was refused by `rule` was no answer of the CA to this message at
/// all, so that the right one may still come.
[[nodiscard]] bool is_stray(std::string_view rule) noexcept;

}  // namespace ra::gateway
