#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ra/exchange.h"

namespace transports::coap {

/// What the Uri-Path of a request says.
struct PathFacts {
    std::string label;  // <name> of p/<name>; empty: none
    ra::Operation operation = ra::Operation::unspecified;
    bool announcements = false;  // …/ann (RFC 9482 2.6)
};

/// The CoAP label of an operation (RFC 9482 2.1), "" for unspecified.
[[nodiscard]] std::string_view operation_label(ra::Operation operation) noexcept;
/// Its inverse; nullopt: no such label.
[[nodiscard]] std::optional<ra::Operation> operation_of(std::string_view label) noexcept;

/// Paths below which CMP is served, split: /.well-known/cmp and `aliases` ("/", "/cmp").
using Bases = std::vector<std::vector<std::string>>;
[[nodiscard]] Bases served_bases(const std::vector<std::string>& aliases);

/// Reads `<base>[/p/<name>][/<operation>]`, one segment an option. nullopt: not served. A label has
/// 1 to 64 octets, no control characters and no "/". Pure.
[[nodiscard]] std::optional<PathFacts> parse_path(const std::vector<std::string_view>& segments,
                                                  const Bases& bases);

/// Segments of `<base>[/p/<name>][/<operation>]`; `base` as a URL has it, percent-encoded.
[[nodiscard]] std::vector<std::string> render_path(std::string_view base, std::string_view label,
                                                   ra::Operation operation);
/// "/a/b%20c" to {"a", "b c"}; a bad percent-encoding stays as it is.
[[nodiscard]] std::vector<std::string> split_path(std::string_view path);

/// /.well-known/core: what is served, in link format (RFC 6690, RFC 9482 2.2).
[[nodiscard]] std::string describe_links(const std::vector<std::string>& aliases,
                                         const std::vector<std::string>& labels);

}  // namespace transports::coap
