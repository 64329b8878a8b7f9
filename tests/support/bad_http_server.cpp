#include "tests/support/bad_http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <stdexcept>
#include <string>

#include "tests/support/run.h"

namespace test {

using namespace ra;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t kMostThreads = 64;
constexpr std::size_t kMostRequest = 1024 * 1024;
constexpr std::size_t kHuge = 100 * 1024 * 1024;
constexpr auto kTick = 50ms;
constexpr std::string_view kServerError = "500 Internal Server Error";

struct Named {
    DeliveryFault fault;
    std::string_view name;
};
constexpr std::array kNames = {
    Named{DeliveryFault::huge, "huge"},
    Named{DeliveryFault::huge_chunked, "huge-chunked"},
    Named{DeliveryFault::drip, "drip"},
    Named{DeliveryFault::late, "late"},
    Named{DeliveryFault::silent, "silent"},
    Named{DeliveryFault::hang_up, "hang-up"},
    Named{DeliveryFault::short_content, "short-content"},
    Named{DeliveryFault::wrong_media_type, "wrong-media-type"},
    Named{DeliveryFault::server_error, "server-error"},
    Named{DeliveryFault::empty_error, "empty-error"},
    Named{DeliveryFault::answer_in_error, "answer-in-error"},
    Named{DeliveryFault::garbage, "garbage"},
    Named{DeliveryFault::junk, "junk"},
};

std::string head(std::size_t length, std::string_view status = "200 OK",
                 std::string_view media_type = "application/pkixcmp") {
    return "HTTP/1.1 " + std::string(status) + "\r\nContent-Type: " + std::string(media_type) +
           "\r\nConnection: close\r\nContent-Length: " + std::to_string(length) + "\r\n\r\n";
}

/// The value of Content-Length in a request head; 0 if there is none.
std::size_t content_length(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    const auto at = text.find("content-length:");
    return at == std::string::npos ? 0 : std::stoul(text.substr(at + 15));
}

}  // namespace

std::optional<DeliveryFault> delivery_fault(std::string_view name) {
    for (const Named& one : kNames) {
        if (one.name == name) return one.fault;
    }
    return std::nullopt;
}

std::vector<std::string_view> delivery_fault_names() {
    std::vector<std::string_view> names;
    for (const Named& one : kNames) names.push_back(one.name);
    return names;
}

BadHttpServer::BadHttpServer(Exchange& ca, DeliveryFault fault, std::chrono::milliseconds delay,
                             std::uint16_t port)
    : ca_{ca}, fault_{fault}, delay_{delay} {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_, generic, length) != 0 || ::listen(listener_, SOMAXCONN) != 0 ||
        ::getsockname(listener_, generic, &length) != 0) {
        ::close(listener_);
        throw std::runtime_error("cannot listen on 127.0.0.1:" + std::to_string(port));
    }
    port_ = ntohs(address.sin_port);
    threads_.emplace_back([this] { accept_all(); });
}

BadHttpServer::~BadHttpServer() {
    ending_ = true;
    threads_.front().join();  // nothing is added to threads_ from here on
    for (auto thread = threads_.begin() + 1; thread != threads_.end(); ++thread) thread->join();
    ::close(listener_);
}

void BadHttpServer::accept_all() {
    while (!ending_) {
        pollfd wanted{listener_, POLLIN, 0};
        if (::poll(&wanted, 1, static_cast<int>(kTick.count())) <= 0) continue;
        const int connection = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        if (connection < 0) continue;
        const std::lock_guard lock{lock_};
        if (threads_.size() > kMostThreads) {
            ::close(connection);
            continue;
        }
        threads_.emplace_back([this, connection] {
            serve(connection);
            ::close(connection);
        });
    }
}

bool BadHttpServer::pause(std::chrono::milliseconds time) const {
    for (auto left = time; left > 0ms && !ending_; left -= kTick)
        std::this_thread::sleep_for(std::min<std::chrono::milliseconds>(left, kTick));
    return !ending_;
}

bool BadHttpServer::send(int connection, std::string_view octets) const {
    while (!octets.empty() && !ending_) {
        pollfd wanted{connection, POLLOUT, 0};
        if (::poll(&wanted, 1, static_cast<int>(kTick.count())) <= 0) continue;
        const ssize_t sent =
            ::send(connection, octets.data(), octets.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent <= 0) return false;
        octets.remove_prefix(static_cast<std::size_t>(sent));
    }
    return octets.empty();
}

void BadHttpServer::serve(int connection) {
    std::string received;
    std::size_t wanted = std::string::npos;  // octets of the whole request, once its head is there
    while (!ending_ && received.size() < wanted && received.size() < kMostRequest) {
        pollfd readable{connection, POLLIN, 0};
        if (::poll(&readable, 1, static_cast<int>(kTick.count())) <= 0) continue;
        char buffer[16 * 1024];
        const ssize_t got = ::recv(connection, buffer, sizeof buffer, 0);
        if (got <= 0) return;
        received.append(buffer, static_cast<std::size_t>(got));
        const auto end = received.find("\r\n\r\n");
        if (end != std::string::npos) wanted = end + 4 + content_length(received.substr(0, end));
    }
    if (received.size() < wanted) return;
    ++requests_;
    const auto content = received.find("\r\n\r\n") + 4;
    answer(connection, to_bytes(as_bytes(std::string_view{received}.substr(content))));
}

void BadHttpServer::answer(int connection, Bytes request) {
    Arrival arrival;
    arrival.der = std::move(request);
    arrival.deadline = BootClock::now() + 60s;
    const Reply reply = run(ca_.exchange(std::move(arrival)));
    const auto* const good = std::get_if<Answer>(&reply);
    const std::string der{good != nullptr ? as_text(good->der) : std::string_view{}};
    switch (fault_) {
        case DeliveryFault::huge: {
            const std::string block(1024 * 1024, 'x');
            bool open = send(connection, head(kHuge));
            for (std::size_t sent = 0; open && sent < kHuge; sent += block.size())
                open = send(connection, block);
            return;
        }
        case DeliveryFault::huge_chunked: {
            const std::string chunk = "100000\r\n" + std::string(1024 * 1024, 'x') + "\r\n";
            bool open = send(connection,
                             "HTTP/1.1 200 OK\r\nContent-Type: application/pkixcmp\r\n"
                             "Transfer-Encoding: chunked\r\n\r\n");
            for (std::size_t sent = 0; open && sent < kHuge; sent += 1024 * 1024)
                open = send(connection, chunk);
            (void)send(connection, "0\r\n\r\n");
            return;
        }
        case DeliveryFault::drip:
            for (const char octet : head(der.size()) + der) {
                if (!send(connection, {&octet, 1}) || !pause(1s)) return;
            }
            return;
        case DeliveryFault::late:
            if (pause(delay_)) (void)send(connection, head(der.size()) + der);
            return;
        case DeliveryFault::silent: {
            // Until the peer has had enough.
            char none = 0;
            while (!ending_ && ::recv(connection, &none, 1, MSG_DONTWAIT) != 0) {
                if (!pause(kTick)) return;
            }
            return;
        }
        case DeliveryFault::hang_up:
            return;
        case DeliveryFault::short_content:
            (void)send(connection, head(der.size()) + der.substr(0, der.size() / 2));
            return;
        case DeliveryFault::wrong_media_type:
            (void)send(connection, head(der.size(), "200 OK", "text/html") + der);
            return;
        case DeliveryFault::server_error: {
            const std::string page = "<html>something went wrong</html>";
            (void)send(connection, head(page.size(), kServerError, "text/html") + page);
            return;
        }
        case DeliveryFault::empty_error:
            (void)send(connection, head(0, kServerError));
            return;
        case DeliveryFault::answer_in_error:
            (void)send(connection, head(der.size(), kServerError) + der);
            return;
        case DeliveryFault::garbage:
            (void)send(connection, "220 mail.example ESMTP\r\n\r\n");
            return;
        case DeliveryFault::junk:
            (void)send(connection, head(5) + "junk\n");
            return;
    }
}

}  // namespace test
