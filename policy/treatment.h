#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "ra/cmp/types.h"
#include "ra/crypto/protection.h"

namespace policy {

/// How a permitted message goes upstream (RFC 9483 5.2).
enum class Treatment : std::uint8_t {
    forward,     // the received octets
    unwrap,      // of a nested single: the message in it, unchanged
    nest,        // in a nested of our own, which says that we approve
    reprotect,   // same body, our protection
    raverified,  // the same, the body amended, popo raVerified where that broke it
};
/// The word of the configuration.
[[nodiscard]] std::string_view to_string(Treatment treatment) noexcept;

/// Is the message upstream another one than the device's, so that the answer is protected anew?
[[nodiscard]] constexpr bool replaces_protection(Treatment treatment) noexcept {
    return treatment == Treatment::reprotect || treatment == Treatment::raverified;
}
/// Does it need a credential towards the upstream?
[[nodiscard]] constexpr bool signs(Treatment treatment) noexcept {
    return treatment == Treatment::nest || replaces_protection(treatment);
}

/// `treatment` of a profile. The most specific entry wins: that of the operation, then that of
/// `nested` for what an RA nested, then that of the kind of protection, then `otherwise`.
struct Treatments {
    Treatment otherwise = Treatment::forward;
    std::array<std::optional<Treatment>, ra::cmp::kBodyTypes> operation;
    std::optional<Treatment> nested, mac, signature;

    /// For a first message of this type.
    [[nodiscard]] Treatment of(ra::cmp::BodyType type, ra::crypto::ProtectionKind kind,
                               bool was_nested) const noexcept;
};

}  // namespace policy
