#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ra/exchange.h"
#include "transports/http1/response_head.h"

/// What HTTP/1.1 and HTTP/2 answer alike.
namespace transports::http1 {

inline constexpr std::string_view kMediaType = "application/pkixcmp";
inline constexpr std::string_view kPlainText = "text/plain; charset=utf-8";

/// The text of a 404: the paths that exist.
[[nodiscard]] std::string describe_paths(const std::vector<std::string>& aliases,
                                         const std::vector<std::string>& labels);

/// The HTTP side of a reply (spec 03 1): status, media type, Retry-After. The content returned
/// stays the reply's, or is `known_paths`.
[[nodiscard]] ra::ByteView map_reply(const ra::Reply& reply, const std::string& known_paths,
                                     HeadFacts& facts);

}  // namespace transports::http1
