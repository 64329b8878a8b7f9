#include "transports/http1/url.h"

#include <algorithm>
#include <boost/beast/core/string.hpp>
#include <charconv>

#include "transports/http1/paths.h"

namespace transports::http1 {

std::string HttpUrl::authority() const {
    std::string text = host.find(':') == std::string::npos ? host : "[" + host + "]";
    if (port != (secure ? 443 : 80)) text += ":" + std::to_string(port);
    return text;
}

std::optional<HttpUrl> parse_http_url(std::string_view text) {
    constexpr std::string_view kScheme = "http://";
    constexpr std::string_view kSecure = "https://";
    const bool printable =
        std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
    const auto begins = [text](std::string_view scheme) {
        return text.size() >= scheme.size() &&
               boost::beast::iequals({text.data(), scheme.size()}, {scheme.data(), scheme.size()});
    };
    const bool secure = begins(kSecure);
    if (!printable || (!secure && !begins(kScheme))) return std::nullopt;
    text.remove_prefix(secure ? kSecure.size() : kScheme.size());
    if (text.find_first_of("?#@\"<>\\^`{|}") != std::string_view::npos) return std::nullopt;

    HttpUrl url;
    url.secure = secure;
    if (secure) url.port = 443;
    const auto slash = std::min(text.find('/'), text.size());
    url.path = slash == text.size() ? kWellKnown : text.substr(slash);
    std::string_view authority = text.substr(0, slash);
    if (authority.starts_with('[')) {
        const auto end = authority.find(']');
        if (end == std::string_view::npos) return std::nullopt;
        url.host = authority.substr(1, end - 1);
        authority.remove_prefix(end + 1);
    } else {
        const auto end = std::min(authority.find(':'), authority.size());
        url.host = authority.substr(0, end);
        authority.remove_prefix(end);
    }
    if (url.host.empty()) return std::nullopt;
    if (authority.empty()) return url;
    if (!authority.starts_with(':')) return std::nullopt;
    authority.remove_prefix(1);
    const auto [end, error] =
        std::from_chars(authority.data(), authority.data() + authority.size(), url.port);
    if (error != std::errc{} || end != authority.data() + authority.size() || url.port == 0) {
        return std::nullopt;
    }
    return url;
}

}  // namespace transports::http1
