#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <cstring>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "transports/common/wakeup.h"
#include "transports/common/workers.h"
#include "transports/http1/client.h"
#include "transports/http1/server.h"

namespace fixture {

using namespace std::chrono_literals;
namespace common = transports::common;
namespace http1 = transports::http1;

/// A blocking socket that gives up after five seconds.
class RawSocket {
public:
    explicit RawSocket(int descriptor) : descriptor_{descriptor} {
        const timeval limit{5, 0};
        setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        setsockopt(descriptor_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    }
    RawSocket(RawSocket&& other) noexcept : descriptor_{std::exchange(other.descriptor_, -1)} {}
    RawSocket& operator=(RawSocket&& other) noexcept {
        std::swap(descriptor_, other.descriptor_);
        return *this;
    }
    ~RawSocket() { close(); }

    static RawSocket connect(std::uint16_t port) {
        RawSocket made{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(port);
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::connect(made.descriptor_, reinterpret_cast<const sockaddr*>(&to), sizeof to) < 0) {
            made.close();
        }
        return made;
    }

    bool write(std::string_view text) const {
        while (!text.empty()) {
            const ssize_t sent = ::send(descriptor_, text.data(), text.size(), MSG_NOSIGNAL);
            if (sent <= 0) return false;
            text.remove_prefix(static_cast<std::size_t>(sent));
        }
        return true;
    }

    /// One read; empty: end of file, reset or five seconds of silence.
    std::string read_some() const {
        char buffer[65536];
        const ssize_t got = ::recv(descriptor_, buffer, sizeof buffer, 0);
        return got <= 0 ? std::string{} : std::string(buffer, static_cast<std::size_t>(got));
    }

    std::string read_all() const {
        std::string all;
        for (std::string part = read_some(); !part.empty(); part = read_some()) all += part;
        return all;
    }

    /// One response with Content-Length, header and content.
    std::string read_response() {
        for (;;) {
            const auto end = pending_.find("\r\n\r\n");
            if (end != std::string::npos) {
                const auto field = pending_.find("Content-Length: ");
                const std::size_t length =
                    field < end ? std::stoul(pending_.substr(field + 16)) : 0;
                if (pending_.size() >= end + 4 + length) {
                    std::string one = pending_.substr(0, end + 4 + length);
                    pending_.erase(0, one.size());
                    return one;
                }
            }
            const std::string part = read_some();
            if (part.empty()) return std::exchange(pending_, {});
            pending_ += part;
        }
    }

    void reset() {
        const linger now{1, 0};
        setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        close();
    }
    void close() {
        if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
    }
    [[nodiscard]] int get() const { return descriptor_; }

private:
    int descriptor_;
    std::string pending_;
};

/// Answers with what `reply` returns; keeps what arrived.
class ScriptedExchange final : public ra::Exchange {
public:
    using Script = std::function<ra::Reply(const ra::Arrival&)>;
    ScriptedExchange(common::Worker& worker, Script script)
        : worker_{worker}, script_{std::move(script)} {}

    boost::asio::awaitable<ra::Reply> exchange(ra::Arrival arrival) override {
        {
            const std::lock_guard lock{mutex_};
            arrivals_.push_back(arrival);
        }
        if (delay.count() != 0) {
            common::Wakeup pause{worker_};
            (void)co_await pause.wait(ra::BootClock::now() + delay);
        }
        ra::Reply reply = script_(arrival);
        ++finished;
        co_return reply;
    }
    std::vector<ra::Arrival> arrivals() {
        const std::lock_guard lock{mutex_};
        return arrivals_;
    }

    std::chrono::milliseconds delay{0};
    std::atomic<int> finished{0};

private:
    common::Worker& worker_;
    Script script_;
    std::mutex mutex_;
    std::vector<ra::Arrival> arrivals_;
};

inline ra::Reply echo(const ra::Arrival& arrival) { return ra::Answer{arrival.der}; }

/// A worker with an HTTP server on a port of 127.0.0.1.
struct Server {
    explicit Server(ScriptedExchange::Script script = echo, http1::HttpServerSettings settings = {},
                    common::ListenerSettings listen = {},
                    std::chrono::milliseconds delay = std::chrono::milliseconds{0})
        : exchange{workers[0], std::move(script)},
          server{workers[0], exchange, std::move(settings), counters},
          listener{listen, {{workers[0], server}}} {
        exchange.delay = delay;
        listener.start();
        workers.start();
    }
    ~Server() {
        listener.stop();
        workers.drain(ra::BootClock::now() + 100ms);
        workers.stop();
    }
    [[nodiscard]] std::uint16_t port() const { return listener.port(); }
    [[nodiscard]] RawSocket connect() const { return RawSocket::connect(port()); }

    std::atomic<int> faults{0};
    common::Workers workers{1, [this](std::string_view, std::exception_ptr) { ++faults; }};
    http1::HttpServerCounters counters;
    ScriptedExchange exchange;
    http1::HttpServer server;
    common::Listener listener;
};

/// A server of one thread that does to each connection what it is told.
class ScriptedPeer {
public:
    using Script = std::function<void(RawSocket&, int connection)>;
    explicit ScriptedPeer(Script script)
        : sockets_{common::open_listen_sockets("127.0.0.1", 0, 1, 16)},
          thread_{[this, script = std::move(script)] {
              for (int connection = 0;; ++connection) {
                  // The socket was made non-blocking for an event loop.
                  fd_set readable;
                  FD_ZERO(&readable);
                  FD_SET(sockets_.sockets[0].get(), &readable);
                  timeval tick{0, 20'000};
                  while (select(sockets_.sockets[0].get() + 1, &readable, nullptr, nullptr,
                                &tick) == 0) {
                      if (stop_) return;
                      FD_SET(sockets_.sockets[0].get(), &readable);
                      tick = {0, 20'000};
                  }
                  if (stop_) return;
                  RawSocket one{accept4(sockets_.sockets[0].get(), nullptr, nullptr, SOCK_CLOEXEC)};
                  script(one, connection);
              }
          }} {}
    ~ScriptedPeer() {
        stop_ = true;
        thread_.join();
    }
    [[nodiscard]] std::uint16_t port() const { return sockets_.port; }

private:
    std::atomic<bool> stop_{false};
    common::ListenSockets sockets_;
    std::thread thread_;
};

inline std::string outcome(const ra::Sent& sent) {
    if (const auto* got = std::get_if<ra::Delivered>(&sent)) {
        return "delivered " + std::string{ra::as_text(got->der)};
    }
    if (const auto* not_sent = std::get_if<ra::NotSent>(&sent)) {
        return "not sent " + std::string{not_sent->why};
    }
    if (const auto* unknown = std::get_if<ra::Unknown>(&sent)) {
        return "unknown " + std::string{unknown->why};
    }
    const auto& rejected = std::get<ra::RejectedByTransport>(sent);
    return "rejected " + std::to_string(rejected.status) + " " +
           std::string{ra::as_text(rejected.der)};
}

inline std::string post(std::string_view content, std::string_view more = {},
                        std::string_view path = "/.well-known/cmp") {
    std::string text = "POST " + std::string{path} + " HTTP/1.1\r\nHost: a\r\n";
    text += "Content-Type: application/pkixcmp\r\n";
    text += "Content-Length: " + std::to_string(content.size()) + "\r\n";
    (text += more) += "\r\n";
    return text += content;
}

inline unsigned status_of(const std::string& response) {
    return response.size() < 12 ? 0 : static_cast<unsigned>(std::stoul(response.substr(9, 3)));
}

inline std::string content_of(const std::string& response) {
    const auto end = response.find("\r\n\r\n");
    return end == std::string::npos ? std::string{} : response.substr(end + 4);
}

inline bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

inline std::size_t open_descriptors() {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& one : std::filesystem::directory_iterator{"/proc/self/fd"}) {
        ++count;
    }
    return count;
}

/// Polls `done` until it holds, for at most five seconds.
template <class Condition>
bool eventually(Condition done) {
    const auto until = std::chrono::steady_clock::now() + 5s;
    while (!done()) {
        if (std::chrono::steady_clock::now() > until) return false;
        std::this_thread::sleep_for(1ms);
    }
    return true;
}

}  // namespace fixture
