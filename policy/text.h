#pragma once

#include <string>
#include <string_view>

#include "policy/decision.h"
#include "ra/base/result.h"

namespace policy {

/// For `detail`: "bad_value in popo at octet 312".
[[nodiscard]] inline std::string error_text(const ra::Error& error) {
    return std::string(to_string(error.code)) + " in " + std::string(error.field) + " at octet " +
           std::to_string(error.offset);
}

/// A fault of the header, the protection or the routing: answered by `error`.
[[nodiscard]] inline Refuse refuse(std::string_view rule, PKIFailureInfo info, std::string detail) {
    return Refuse{rule, info, std::move(detail), false};
}

/// A fault of what was asked for: answered by the specific response.
[[nodiscard]] inline Refuse refuse_body(std::string_view rule, PKIFailureInfo info,
                                        std::string detail) {
    return Refuse{rule, info, std::move(detail), true};
}

}  // namespace policy
