#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "ra/admin/roles.h"
#include "ra/base/bytes.h"

/// What operators ask of a running gateway: endpoints, each for one role. No transport in here.
namespace ra::admin {

/// Who asks.
struct Caller {
    std::string name;  // "uid:1000", "127.0.0.1", for the log
    Roles roles;
};

struct Request {
    std::string method;  // "GET", "POST", "DELETE", "PUT"
    std::string path;    // "/secrets/line3-17"
    std::string rest;    // what "*" stood for: "line3-17"; empty: no "*"
    std::string query;
    Bytes body;
    Caller caller;
};

struct Response {
    unsigned status = 200;
    std::string_view content_type = kText;  // literal
    std::string body;
    std::string_view allow = "GET";  // of a 405; literal

    static constexpr std::string_view kText = "text/plain; charset=utf-8";
    static constexpr std::string_view kJson = "application/json";
    [[nodiscard]] static Response json(std::string body, unsigned status = 200) {
        return {status, kJson, std::move(body)};
    }
    /// {"error": why}, with `status` 400 .. 500.
    [[nodiscard]] static Response fault(unsigned status, std::string_view why);
};

using Handler = std::function<boost::asio::awaitable<Response>(Request)>;

/// The endpoints there are. Other parts register theirs before the first request; then it is
/// immutable, and any thread may call handle().
class Admin {
public:
    /// `path`: literal, and "*" as its last octet stands for one or more further octets without
    /// "/". Handlers run on the admin thread's executor; they may suspend, and bound what they do.
    void add(std::string_view method, std::string_view path, Role needed, Handler handler);

    /// 404 for what is not there, 405 where only the method is wrong, 403 without the role: in this
    /// order only for who may view at all, else always 403.
    [[nodiscard]] boost::asio::awaitable<Response> handle(Request request) const;

    /// "GET /metrics (view)", one a line: what a 404 says.
    [[nodiscard]] std::string known() const;

private:
    struct Endpoint {
        std::string method;
        std::string path;  // without "*"
        bool open = false;
        Role needed{};
        Handler handler;
    };
    std::vector<Endpoint> endpoints_;
};

/// `text` as a JSON string, quotes included; octets that are no UTF-8 become U+FFFD.
[[nodiscard]] std::string json_text(std::string_view text);

}  // namespace ra::admin
