#pragma once

#include <poll.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "tests/transports/coap/requests.h"
#include "tests/transports/http1/fixture.h"
#include "transports/coap/server.h"

/// A CoAP server, clients that nobody here wrote, and a network that loses.
namespace coap_test {

using namespace fixture;

/// A folder that goes away.
struct Folder {
    Folder() {
        std::string made = "/tmp/cmpgate-coap-XXXXXX";
        path = mkdtemp(made.data());
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() { std::filesystem::remove_all(path); }
    [[nodiscard]] std::string file(const std::string& name) const { return path + "/" + name; }
    std::string write(const std::string& name, const std::string& content) const {
        std::ofstream{file(name), std::ios::binary} << content;
        return file(name);
    }
    [[nodiscard]] std::string read(const std::string& name) const {
        std::ifstream in{file(name), std::ios::binary};
        return {std::istreambuf_iterator<char>{in}, {}};
    }
    std::string path;
};

/// Standard output of a command that gets 90 seconds.
inline std::string output_of(const std::string& command) {
    std::FILE* const pipe = popen(("timeout 90 " + command + " 2>&1").c_str(), "r");
    std::string text;
    char buffer[4096];
    for (std::size_t got = 0; (got = fread(buffer, 1, sizeof buffer, pipe)) != 0;)
        text.append(buffer, got);
    pclose(pipe);
    return text;
}

/// A home thread, a worker and a server on a port of 127.0.0.1.
struct CoapFixture {
    explicit CoapFixture(ScriptedExchange::Script script = echo,
                         coap::CoapServerSettings settings = {},
                         std::chrono::milliseconds delay = 0ms)
        : exchange{workers[0], std::move(script)} {
        exchange.delay = delay;
        if (settings.desk.bodies.silence == 0ns) settings.desk.bodies.silence = 60s;
        server = std::make_unique<coap::CoapServer>(
            home[0], settings, std::vector<coap::CoapServer::Seat>{{workers[0], exchange}},
            counters);
        scheme = settings.protocol == coap::Protocol::tcp    ? "coap+tcp"
                 : settings.protocol == coap::Protocol::tls  ? "coaps+tcp"
                 : settings.protocol == coap::Protocol::dtls ? "coaps"
                                                             : "coap";
        workers.start();
        home.start();
    }
    ~CoapFixture() {
        workers.drain(ra::BootClock::now() + 1s);
        at_home([this] { server.reset(); });
        home.stop();
        workers.stop();
    }
    /// Runs `work` on the home thread and waits for it.
    void at_home(const std::function<void()>& work) {
        std::promise<void> done;
        home[0].post([&] {
            work();
            done.set_value();
        });
        done.get_future().get();
    }
    [[nodiscard]] std::string url(const std::string& path = "/.well-known/cmp",
                                  std::uint16_t port = 0) const {
        return scheme + "://127.0.0.1:" + std::to_string(port == 0 ? server->port() : port) + path;
    }
    /// What a client posts `text` and gets; it is one of coap-client-{openssl,gnutls,notls}.
    std::string post(const std::string& client, const std::string& text,
                     const std::string& options = "", std::uint16_t port = 0) const {
        static std::atomic<int> number{0};
        const std::string name = std::to_string(++number);
        const std::string request = folder.write(name + ".in", text);
        last_output = output_of(client + " -m post -t 259 " + options + " -f " + request + " -o " +
                                folder.file(name + ".out") + " " + url("/.well-known/cmp", port));
        return folder.read(name + ".out");
    }

    Folder folder;
    mutable std::string last_output;
    std::string scheme;
    std::atomic<int> faults{0};
    coap::CoapServerCounters counters;
    common::Workers home{1, [this](std::string_view, std::exception_ptr) { ++faults; }, "coap-"};
    common::Workers workers{1, [this](std::string_view, std::exception_ptr) { ++faults; }};
    ScriptedExchange exchange;
    std::unique_ptr<coap::CoapServer> server;
};

/// A blocking UDP socket towards a port of 127.0.0.1 that gives up after `patience`.
class Datagrams {
public:
    explicit Datagrams(std::uint16_t port, std::chrono::milliseconds patience = 3s) {
        descriptor_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        const timeval limit{patience.count() / 1000, (patience.count() % 1000) * 1000};
        setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(port);
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::connect(descriptor_, reinterpret_cast<const sockaddr*>(&to), sizeof to) < 0)
            throw std::runtime_error("connect");
    }
    Datagrams(const Datagrams&) = delete;
    Datagrams& operator=(const Datagrams&) = delete;
    ~Datagrams() { ::close(descriptor_); }
    void send(const std::string& octets) const {
        (void)::send(descriptor_, octets.data(), octets.size(), MSG_NOSIGNAL);
    }
    [[nodiscard]] std::string receive() const {
        char buffer[65536];
        const ssize_t got = ::recv(descriptor_, buffer, sizeof buffer, 0);
        return got <= 0 ? std::string{} : std::string(buffer, static_cast<std::size_t>(got));
    }

private:
    int descriptor_;
};

/// Between clients and a server: each datagram passes if `passes` says so. One client address
/// after the other gets a port of its own towards the server.
class Relay {
public:
    using Filter = std::function<bool(bool upstream, const std::string& octets)>;
    Relay(std::uint16_t server, Filter passes) : server_{server}, passes_{std::move(passes)} {
        front_ = open();
        sockaddr_in at{};
        socklen_t size = sizeof at;
        getsockname(front_, reinterpret_cast<sockaddr*>(&at), &size);
        port_ = ntohs(at.sin_port);
        thread_ = std::thread{[this] { run(); }};
    }
    ~Relay() {
        stop_ = true;
        thread_.join();
        ::close(front_);
        for (const auto& [port, back] : backs_) ::close(back);
    }
    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
    std::atomic<int> dropped{0};

private:
    static int open() {
        const int made = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        sockaddr_in at = loopback(0);
        if (::bind(made, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0)
            throw std::runtime_error("bind");
        return made;
    }
    static sockaddr_in loopback(std::uint16_t port) {
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_port = htons(port);
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return at;
    }
    void run() {
        while (!stop_) {
            std::vector<pollfd> wanted{{front_, POLLIN, 0}};
            for (const auto& [client, back] : backs_) wanted.push_back({back, POLLIN, 0});
            if (::poll(wanted.data(), wanted.size(), 20) <= 0) continue;
            forward_from_clients();
            for (const auto& [client, back] : backs_) forward(back, front_, client, false);
        }
    }
    void forward_from_clients() {
        char buffer[65536];
        sockaddr_in from{};
        socklen_t size = sizeof from;
        for (;;) {
            const ssize_t got = ::recvfrom(front_, buffer, sizeof buffer, 0,
                                           reinterpret_cast<sockaddr*>(&from), &size);
            if (got < 0) return;
            const std::string octets(buffer, static_cast<std::size_t>(got));
            const std::uint16_t client = ntohs(from.sin_port);
            if (!backs_.contains(client)) backs_[client] = open();
            if (!passes_(true, octets)) {
                ++dropped;
                continue;
            }
            const sockaddr_in to = loopback(server_);
            (void)::sendto(backs_[client], octets.data(), octets.size(), 0,
                           reinterpret_cast<const sockaddr*>(&to), sizeof to);
        }
    }
    void forward(int from, int to, std::uint16_t port, bool upstream) {
        char buffer[65536];
        for (;;) {
            const ssize_t got = ::recv(from, buffer, sizeof buffer, 0);
            if (got < 0) return;
            const std::string octets(buffer, static_cast<std::size_t>(got));
            if (!passes_(upstream, octets)) {
                ++dropped;
                continue;
            }
            const sockaddr_in at = loopback(port);
            (void)::sendto(to, octets.data(), octets.size(), 0,
                           reinterpret_cast<const sockaddr*>(&at), sizeof at);
        }
    }

    std::uint16_t server_;
    Filter passes_;
    int front_ = -1;
    std::uint16_t port_ = 0;
    std::map<std::uint16_t, int> backs_;  // by the client's port
    std::atomic<bool> stop_{false};
    std::thread thread_;
};

// Of a datagram: type 0 CON, 1 NON, 2 ACK, 3 RST; code as on the wire.
inline unsigned type_of(const std::string& octets) {
    return octets.size() < 4 ? 9 : (static_cast<unsigned char>(octets[0]) >> 4U) & 3U;
}
inline unsigned wire_code_of(const std::string& octets) {
    return octets.size() < 4 ? 0xff : static_cast<unsigned char>(octets[1]);
}

/// A CON POST of `payload` to /.well-known/cmp with content format 259.
inline std::string con_post(std::uint16_t id, const std::string& token,
                            const std::string& payload) {
    std::string octets;
    octets += static_cast<char>(0x40U | token.size());
    octets += '\x02';
    octets += static_cast<char>(id >> 8U);
    octets += static_cast<char>(id & 0xffU);
    octets += token;
    octets += "\xbb.well-known";  // option 11, 11 octets
    octets +=
        "\x03"
        "cmp";                                 // again
    octets += std::string("\x12\x01\x03", 3);  // option 12: 259
    octets += "\xff" + payload;
    return octets;
}

}  // namespace coap_test
