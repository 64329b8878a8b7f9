#include "transports/common/listener.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "transports/common/workers.h"

using namespace transports::common;
using namespace std::chrono_literals;
namespace asio = boost::asio;

TEST_SUITE_BEGIN("transports/common");

namespace {

/// Says which worker serves, then closes.
struct Greeter final : ConnectionHandler {
    explicit Greeter(char name) : name_{name} {}
    asio::awaitable<void> serve(ByteStream& stream) override {
        const std::string text(1, name_);
        (void)co_await stream.write(ra::as_bytes(text));
        stream.expires_after(5s);
        stream.set_idle(true);
        (void)co_await stream.wait_read();
    }
    ra::ByteView busy() const noexcept override { return ra::as_bytes("busy"); }
    char name_;
};

int connect_to(std::uint16_t port) {
    const int made = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const timeval limit{5, 0};
    setsockopt(made, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(made, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0) return made;
    ::close(made);
    return -1;
}

std::string read_all(int socket) {
    std::string all;
    char buffer[64];
    for (ssize_t got = 0; (got = recv(socket, buffer, sizeof buffer, 0)) > 0;) {
        all.append(buffer, static_cast<std::size_t>(got));
    }
    return all;
}

std::string read_some(int socket) {
    char buffer[64];
    const ssize_t got = recv(socket, buffer, sizeof buffer, 0);
    return got <= 0 ? std::string{} : std::string(buffer, static_cast<std::size_t>(got));
}

}  // namespace

TEST_CASE("open_listen_sockets: port 0 is one port for all; a taken port is named") {
    const ListenSockets first = open_listen_sockets("127.0.0.1", 0, 3, 8);
    CHECK(first.sockets.size() == 3);
    CHECK(first.port != 0);
    CHECK(first.text == "127.0.0.1:" + std::to_string(first.port));
    const auto message = [](const std::string& address, std::uint16_t port) -> std::string {
        try {
            (void)open_listen_sockets(address, port, 1, 8);
            return "no fault";
        } catch (const std::runtime_error& fault) {
            return fault.what();
        }
    };
    CHECK(message("127.0.0.1", first.port) ==
          "cannot listen on " + first.text + ": the port is taken by another program");
    CHECK(message("192.0.2.1", 0) ==
          "cannot listen on 192.0.2.1:0: this machine has no such address");
    CHECK(message("example", 1) == "cannot listen on example: not a numeric IPv4 or IPv6 address");
    CHECK_THROWS_AS((void)adopt_listen_socket(0, 1), std::runtime_error);
    const ListenSockets adopted = adopt_listen_socket(first.sockets[0].get(), 2);
    CHECK(adopted.sockets.size() == 2);
    CHECK(adopted.port == first.port);
}

TEST_CASE("Listener: every worker serves; the limit turns away politely; stop and drain") {
    Workers workers{2, {}};
    Greeter a{'a'};
    Greeter b{'b'};
    ListenerSettings settings;
    settings.max_connections = 40;
    auto listener = std::make_unique<Listener>(
        settings, std::vector<Listener::Seat>{{workers[0], a}, {workers[1], b}});
    listener->start();
    workers.start();
    std::vector<int> clients;
    std::string names;
    for (int i = 0; i < 40; ++i) {
        clients.push_back(connect_to(listener->port()));
        REQUIRE(clients.back() >= 0);
        names += read_some(clients.back());
    }
    CHECK(names.size() == 40);
    CHECK(names.find('a') != std::string::npos);
    CHECK(names.find('b') != std::string::npos);
    CHECK(listener->counters(0).open.get() + listener->counters(1).open.get() == 40);
    const int refused = connect_to(listener->port());
    CHECK(read_all(refused) == "busy");
    ::close(refused);

    const auto port = listener->port();
    listener->stop();
    CHECK(workers.drain(ra::BootClock::now() + 3s));
    for (const int client : clients) {
        CHECK(read_all(client).empty());
        ::close(client);
    }
    CHECK(connect_to(port) < 0);
    listener.reset();
    workers.stop();
}

TEST_SUITE_END();
