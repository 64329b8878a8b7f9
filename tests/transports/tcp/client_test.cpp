#include "transports/tcp/client.h"

#include <doctest/doctest.h>

#include "tests/support/fake_clock.h"
#include "tests/transports/tcp/frames.h"

using namespace fixture;
namespace tcp = transports::tcp;

namespace {

/// A worker with a courier towards `port`.
struct Client {
    explicit Client(std::uint16_t port, tcp::Framing framing = tcp::Framing::versioned) {
        tcp::TcpClientSettings settings;
        settings.host = "127.0.0.1";
        settings.port = port;
        settings.framing = framing;
        settings.max_message = 4096;
        courier = std::make_unique<tcp::TcpCourier>(workers[0], settings, clock, counters);
        workers.start();
    }
    ~Client() {
        workers[0].post([this] { courier->close(); });
        workers.drain(ra::BootClock::now() + 100ms);
        workers.stop();
    }
    std::string send(std::string_view text, bool repeatable = false,
                     ra::BootClock::duration time = 3s) {
        ra::Delivery delivery;
        delivery.der = ra::as_bytes(text);
        delivery.deadline = ra::BootClock::now() + time;
        delivery.repeatable = repeatable;
        auto sent = boost::asio::co_spawn(workers[0].context(), courier->send(delivery),
                                          boost::asio::use_future);
        return outcome(sent.get());
    }

    common::Workers workers{1, [](std::string_view, std::exception_ptr) {}};
    ra::SystemClock clock;
    transports::http1::HttpClientCounters counters;
    std::unique_ptr<tcp::TcpCourier> courier;
};

std::string error_frame(std::uint8_t high, std::uint8_t low) {
    return versioned(
        6, std::string{static_cast<char>(high), static_cast<char>(low), '\0', '\0'} + "why");
}

std::string four(std::uint32_t value) {
    return {static_cast<char>(value >> 24U), static_cast<char>(value >> 16U),
            static_cast<char>(value >> 8U), static_cast<char>(value)};
}

}  // namespace

TEST_SUITE("transports/tcp") {
    TEST_CASE("TcpCourier: what a peer answers, and what becomes of it") {
        struct Row {
            const char* name;
            std::string answer;
            const char* want;
        };
        const Row rows[] = {
            {"pkiRep", versioned(5, "abc"), "delivered abc"},
            {"type 00 in both directions", versioned(0, "abc"), "delivered abc"},
            {"a later version", versioned(5, "abc", 0, 11), "delivered abc"},
            {"flags nobody knows", versioned(5, "abc", 0xfe), "delivered abc"},
            {"in the other framing", rfc2510(5, "abc"), "delivered abc"},
            {"partialMsgRep", rfc2510(4, "12345678abc"), "delivered abc"},
            {"partialMsgRep without a message", rfc2510(4, "12345678"), "unknown malformed"},
            {"partialMsgRep cut", rfc2510(4, "1234567"), "unknown malformed"},
            {"04 is gone", versioned(4, "12345678abc"), "unknown malformed"},
            {"empty", versioned(5, ""), "unknown malformed"},
            {"finRep", versioned(3, std::string(1, '\0')), "rejected 204 "},
            {"negPollRep", rfc2510(3, std::string(1, '\0')), "rejected 204 "},
            {"version", error_frame(1, 1), "rejected 505 "},
            {"client error", error_frame(2, 1), "rejected 400 "},
            {"server error", error_frame(3, 0), "rejected 500 "},
            {"private error", error_frame(0x80, 1), "rejected 400 "},
            {"error of one octet", versioned(6, "x"), "rejected 400 "},
            {"text", rfc2510(6, "why"), "rejected 400 "},
            {"unknown type", versioned(99, "x"), "unknown malformed"},
            {"pollReq", versioned(2, "1234"), "unknown malformed"},
            {"pollRep cut", versioned(1, "1234"), "unknown malformed"},
            {"pollRep, and closes", versioned(1, "12345678", 1), "unknown reset"},
            {"16 MiB", std::string("\x01\x00\x00\x00\x0a\x00\x05", 7), "unknown too large"},
            {"length 1", std::string("\x00\x00\x00\x01\x0a\x00\x05", 7), "unknown malformed"},
            {"cut short", versioned(5, "abc").substr(0, 9), "unknown reset"},
            {"half a head", versioned(5, "abc").substr(0, 5), "unknown reset"},
            {"closed at once", "", "unknown reset"},
            {"HTTP", "HTTP/1.1 400 Bad Request\r\n\r\n", "unknown too large"},
        };
        for (const Row& row : rows) {
            CAPTURE(row.name);
            ScriptedPeer peer{[&](RawSocket& socket, int) {
                socket.read_some();
                socket.write(row.answer);
            }};
            Client client{peer.port()};
            CHECK(client.send("request") == row.want);
            CHECK(client.counters.connects.get() == 1);
        }
    }

    TEST_CASE("TcpCourier: the request on the wire, in both framings") {
        for (const auto framing : {tcp::Framing::versioned, tcp::Framing::rfc2510}) {
            std::string seen;
            ScriptedPeer peer{[&](RawSocket& socket, int) {
                seen = socket.read_some();
                socket.write(rfc2510(5, "abc"));
            }};
            Client client{peer.port(), framing};
            CHECK(client.send("request") == "delivered abc");
            CHECK(seen == (framing == tcp::Framing::versioned ? versioned(0, "request")
                                                              : rfc2510(0, "request")));
        }
    }

    TEST_CASE("TcpCourier: connections are reused, and left when the peer says so") {
        std::atomic<int> connections{0};
        ScriptedPeer peer{[&](RawSocket& socket, int) {
            ++connections;
            for (int i = 0; i < 3; ++i) {
                if (socket.read_some().empty()) return;
                socket.write(versioned(5, "abc", i == 2 ? 1 : 0));
            }
            socket.read_some();  // the client's end of it
        }};
        Client client{peer.port()};
        for (int i = 0; i < 6; ++i) CHECK(client.send("x") == "delivered abc");
        CHECK(connections == 2);
        CHECK(client.counters.reused.get() == 4);
    }

    TEST_CASE("S-04: over TCP, octets nobody asked for are never an answer") {
        ScriptedPeer peer{[&](RawSocket& socket, int connection) {
            socket.read_some();
            socket.write(connection == 0 ? versioned(5, "first") + versioned(5, "planted")
                                         : versioned(5, "second"));
            socket.read_some();
        }};
        Client client{peer.port()};
        CHECK(client.send("1") == "delivered first");
        CHECK(client.send("2") == "delivered second");
    }

    TEST_CASE("S-04: over TCP, a message is repeated only if that does no harm") {
        for (const bool repeatable : {false, true}) {
            CAPTURE(repeatable);
            std::atomic<int> requests{0};
            ScriptedPeer peer{[&](RawSocket& socket, int connection) {
                socket.read_some();
                ++requests;
                socket.write(versioned(5, "abc"));
                if (connection != 0) return;
                socket.read_some();
                ++requests;
            }};
            Client client{peer.port()};
            CHECK(client.send("1", repeatable) == "delivered abc");
            CHECK(client.send("2", repeatable) == (repeatable ? "delivered abc" : "unknown reset"));
            CHECK(requests == (repeatable ? 3 : 2));
        }
    }

    TEST_CASE("TcpCourier: polls when told to, and not sooner") {
        std::vector<std::string> seen;
        ScriptedPeer peer{[&](RawSocket& socket, int) {
            seen.push_back(socket.read_some());
            socket.write(versioned(1, "ref1" + four(1)));
            const auto told = std::chrono::steady_clock::now();
            seen.push_back(socket.read_some());
            CHECK(std::chrono::steady_clock::now() - told >= 900ms);
            socket.write(versioned(1, "ref2" + four(0)));
            seen.push_back(socket.read_some());
            socket.write(versioned(5, "late"));
        }};
        Client client{peer.port()};
        CHECK(client.send("request", false, 10s) == "delivered late");
        CHECK(seen == std::vector<std::string>{versioned(0, "request"), versioned(2, "ref1"),
                                               versioned(2, "ref2")});
    }

    TEST_CASE("TcpCourier: RFC 2510 says when to poll, not how long to wait") {
        ScriptedPeer peer{[&](RawSocket& socket, int) {
            socket.read_some();
            const auto now = std::chrono::system_clock::now().time_since_epoch();
            const auto at = std::chrono::duration_cast<std::chrono::seconds>(now).count() + 2;
            socket.write(rfc2510(1, "refA" + four(static_cast<std::uint32_t>(at))));
            CHECK(socket.read_some() == rfc2510(2, "refA"));
            socket.write(rfc2510(5, "late"));
        }};
        Client client{peer.port(), tcp::Framing::rfc2510};
        CHECK(client.send("request", false, 10s) == "delivered late");
    }

    TEST_CASE("TcpCourier: a poll that comes to nothing leaves the outcome unknown") {
        struct Row {
            const char* name;
            std::string promise;
            std::string answer;
            const char* want;
        };
        const Row rows[] = {
            {"later than anybody waits", "ref1" + four(3600), "", "unknown deadline"},
            {"the reference is forgotten", "ref1" + four(1), error_frame(2, 2), "unknown poll"},
            {"closed", "ref1" + four(1), "", "unknown reset"},
        };
        for (const Row& row : rows) {
            CAPTURE(row.name);
            ScriptedPeer peer{[&](RawSocket& socket, int) {
                socket.read_some();
                socket.write(versioned(1, row.promise));
                socket.read_some();
                socket.write(row.answer);
            }};
            Client client{peer.port()};
            CHECK(client.send("request", true, 5s) == row.want);
        }
    }

    TEST_CASE("TcpCourier: a silent server costs the deadline, not more") {
        ScriptedPeer peer{[](RawSocket& socket, int) {
            socket.read_some();
            socket.read_some();  // until the client gives up
        }};
        Client client{peer.port()};
        const auto begin = std::chrono::steady_clock::now();
        CHECK(client.send("x", true, 200ms) == "unknown deadline");
        CHECK(std::chrono::steady_clock::now() - begin < 1s);
        CHECK(eventually([&] { return client.counters.open.get() == 0; }));
    }

    TEST_CASE("TcpCourier: nobody there") {
        Client client{common::open_listen_sockets("127.0.0.1", 0, 1, 1).port};
        CHECK(client.send("x") == "not sent connect");
    }
}
