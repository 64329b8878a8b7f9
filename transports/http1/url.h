#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace transports::http1 {

/// `http://host[:port][/path]`, or https.
struct HttpUrl {
    std::string host;  // without brackets
    std::uint16_t port = 80;
    std::string path;     // "/.well-known/cmp" if the URL names none
    bool secure = false;  // https
    /// The Host field's value: brackets kept, port where it is not the scheme's.
    [[nodiscard]] std::string authority() const;
};

/// nullopt: another scheme, no host, user information, a query or fragment, a bad port, or
/// characters that do not belong in a URL.
[[nodiscard]] std::optional<HttpUrl> parse_http_url(std::string_view text);

}  // namespace transports::http1
