#include "ra/admin/admin.h"

#include <algorithm>

namespace ra::admin {

namespace {

std::string_view allow_of(std::string_view method) noexcept {
    if (method == "POST") return "POST";
    if (method == "PUT") return "PUT";
    if (method == "DELETE") return "DELETE";
    return "GET";
}

/// Octets of the UTF-8 sequence that `text` begins with; 0: none.
std::size_t utf8_size(std::string_view text) noexcept {
    const auto lead = static_cast<unsigned char>(text.front());
    const std::size_t size = lead < 0x80                   ? 1
                             : lead >= 0xc2 && lead < 0xe0 ? 2
                             : lead >= 0xe0 && lead < 0xf0 ? 3
                             : lead >= 0xf0 && lead < 0xf5 ? 4
                                                           : 0;
    if (size == 0 || size > text.size()) return 0;
    const bool whole =
        std::all_of(text.begin() + 1, text.begin() + static_cast<long>(size),
                    [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) == 0x80; });
    return whole ? size : 0;
}

}  // namespace

std::string json_text(std::string_view text) {
    static constexpr std::string_view kHex = "0123456789abcdef";
    std::string out = "\"";
    while (!text.empty()) {
        const auto octet = static_cast<unsigned char>(text.front());
        const std::size_t size = utf8_size(text);
        if (octet == '"' || octet == '\\') {
            (out += '\\') += text.front();
        } else if (octet < 0x20 || octet == 0x7f) {
            (out += "\\u00") += kHex[octet >> 4U];
            out += kHex[octet & 15U];
        } else if (size == 0) {
            out += "\\ufffd";
        } else {
            out += text.substr(0, size);
        }
        text.remove_prefix(std::max<std::size_t>(size, 1));
    }
    return out += '"';
}

Response Response::fault(unsigned status, std::string_view why) {
    return json("{\"error\":" + json_text(why) + "}\n", status);
}

void Admin::add(std::string_view method, std::string_view path, Role needed, Handler handler) {
    Endpoint made{std::string(method), std::string(path), path.ends_with('*'), needed,
                  std::move(handler)};
    if (made.open) made.path.pop_back();
    endpoints_.push_back(std::move(made));
}

std::string Admin::known() const {
    std::string text;
    for (const Endpoint& one : endpoints_) {
        ((text += one.method) += ' ') += one.path;
        if (one.open) text += "NAME";
        ((text += " (") += to_string(one.needed)) += ")\n";
    }
    return text;
}

boost::asio::awaitable<Response> Admin::handle(Request request) const {
    if (!request.caller.roles.has(Role::view))
        co_return Response::fault(403, request.caller.name + " has no role here");
    const Endpoint* wrong_method = nullptr;
    for (const Endpoint& one : endpoints_) {
        std::string_view rest;
        if (one.open) {
            if (!request.path.starts_with(one.path)) continue;
            rest = std::string_view{request.path}.substr(one.path.size());
            if (rest.empty() || rest.find('/') != std::string_view::npos) continue;
        } else if (request.path != one.path) {
            continue;
        }
        if (request.method != one.method) {
            wrong_method = &one;
            continue;
        }
        if (!request.caller.roles.has(one.needed)) {
            co_return Response::fault(403, request.caller.name + " has not the role " +
                                               std::string(to_string(one.needed)));
        }
        request.rest = rest;
        co_return co_await one.handler(std::move(request));
    }
    if (wrong_method != nullptr) {
        Response response = Response::fault(405, "this is for " + wrong_method->method);
        response.allow = allow_of(wrong_method->method);
        co_return response;
    }
    co_return Response{404, Response::kText, "There is no such thing. There are\n" + known()};
}

}  // namespace ra::admin
