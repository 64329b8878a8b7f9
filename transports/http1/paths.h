#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ra/exchange.h"

namespace transports::http1 {

/// The path every server serves (RFC 9811 3.4).
inline constexpr std::string_view kWellKnown = "/.well-known/cmp";

/// What a request-target says.
struct PathFacts {
    std::string label;  // <name> of /p/<name>, percent-decoded; empty: none
    ra::Operation operation = ra::Operation::unspecified;
};

/// The HTTP label of an operation (RFC 9483 6.1), "" for unspecified.
[[nodiscard]] std::string_view operation_label(ra::Operation operation) noexcept;

/// Its inverse; nullopt: no such label.
[[nodiscard]] std::optional<ra::Operation> operation_of(std::string_view label) noexcept;

/// Reads `<base>[/p/<name>][/<operation>]`, where base is kWellKnown or one of `aliases` ("/",
/// "/cmp", "/pkix/": with or without the last slash). Accepts absolute-form targets; ignores a
/// query. nullopt: not served. A label is at most 64 octets after decoding, without "/" and control
/// characters. Pure.
[[nodiscard]] std::optional<PathFacts> parse_path(std::string_view target,
                                                  const std::vector<std::string>& aliases);

/// `<base>[/p/<name>][/<operation>]`, the label percent-encoded. `base` as configured: a trailing
/// slash is kept if nothing follows.
[[nodiscard]] std::string render_path(std::string_view base, std::string_view label,
                                      ra::Operation operation);

}  // namespace transports::http1
