#include "ra/app/admin_client.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cerrno>
#include <stdexcept>
#include <system_error>

#include "ra/base/bytes.h"
#include "transports/common/listen_socket.h"
#include "transports/http1/response_reader.h"

namespace ra::app {

using transports::common::OwnedDescriptor;

namespace {

std::runtime_error fault_at(const config::AdminConfig::At& at, const std::string& why) {
    return std::runtime_error("the gateway does not answer at " + at.text + ": " + why);
}

std::string system_text() { return std::generic_category().message(errno); }

OwnedDescriptor open(const config::AdminConfig::At& at, std::chrono::seconds patience) {
    sockaddr_storage address{};
    socklen_t size = 0;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    if (!at.unix_path.empty()) {
        auto& local = *reinterpret_cast<sockaddr_un*>(&address);
        local.sun_family = AF_UNIX;
        at.unix_path.copy(local.sun_path, sizeof local.sun_path - 1);
        size = sizeof local;
    } else if (at.http.host == "::1") {
        auto& six = *reinterpret_cast<sockaddr_in6*>(&address);
        six.sin6_family = AF_INET6;
        six.sin6_addr = in6addr_loopback;
        six.sin6_port = htons(at.http.port);
        size = sizeof six;
    } else {
        auto& four = *reinterpret_cast<sockaddr_in*>(&address);
        four.sin_family = AF_INET;
        four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        four.sin_port = htons(at.http.port);
        size = sizeof four;
    }
    OwnedDescriptor made{::socket(any->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    const timeval limit{static_cast<time_t>(patience.count()), 0};
    ::setsockopt(made.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(made.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (::connect(made.get(), any, size) < 0) throw fault_at(at, system_text());
    return made;
}

}  // namespace

AdminReply ask_gateway(const config::AdminConfig& config, std::string_view method,
                       std::string_view path, std::string_view body,
                       std::chrono::seconds patience) {
    if (config.urls.empty()) {
        throw std::runtime_error(
            "the configuration has no [admin] url, as url = \"unix:/run/cmpgate/admin.sock\"");
    }
    const auto local = std::find_if(config.urls.begin(), config.urls.end(),
                                    [](const auto& at) { return !at.unix_path.empty(); });
    const config::AdminConfig::At& at = local != config.urls.end() ? *local : config.urls.front();
    const OwnedDescriptor socket = open(at, patience);

    std::string request{method};
    ((request += ' ') += path) += " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
    if (!body.empty() || method != "GET")
        request += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    (request += "\r\n") += body;
    for (std::string_view left = request; !left.empty();) {
        const ssize_t sent = ::send(socket.get(), left.data(), left.size(), MSG_NOSIGNAL);
        if (sent <= 0) throw fault_at(at, system_text());
        left.remove_prefix(static_cast<std::size_t>(sent));
    }

    static constexpr std::size_t kMostHeader = 16 * 1024;
    static constexpr std::size_t kMostBody = 64 * 1024 * 1024;
    using transports::http1::Stage;
    transports::http1::ResponseReader reader{kMostHeader, kMostBody};
    Bytes piece(64 * 1024);
    for (Stage stage = Stage::need_more; stage != Stage::done;) {
        const ssize_t got = ::recv(socket.get(), piece.data(), piece.size(), 0);
        if (got < 0) {
            throw fault_at(
                at, errno == EAGAIN || errno == EWOULDBLOCK ? "no answer in time" : system_text());
        }
        stage = got == 0 ? reader.feed_end()
                         : reader.feed({piece.data(), static_cast<std::size_t>(got)});
        if (stage == Stage::malformed) throw fault_at(at, "what it says is no HTTP");
    }
    return {reader.status(), std::string(as_text(reader.take_body()))};
}

std::string told_by(const AdminReply& reply) {
    std::string told = reply.body;
    while (told.ends_with('\n')) told.pop_back();
    if (reply.status == 200) return told;
    boost::system::error_code error;
    const boost::json::value said = boost::json::parse(told, error);
    const auto* const object = error ? nullptr : said.if_object();
    const auto* const why = object != nullptr ? object->if_contains("error") : nullptr;
    throw std::runtime_error(why != nullptr && why->is_string()
                                 ? std::string(why->as_string())
                                 : "the gateway says " + std::to_string(reply.status) + ": " +
                                       told);
}

}  // namespace ra::app
