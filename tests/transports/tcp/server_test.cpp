#include "transports/tcp/server.h"

#include <doctest/doctest.h>

#include "tests/transports/tcp/frames.h"
#include "transports/tcp/poll_table.h"

using namespace fixture;
namespace tcp = transports::tcp;

namespace {

/// A worker with a TCP server on a port of 127.0.0.1.
struct TcpFixture {
    explicit TcpFixture(ScriptedExchange::Script script = echo,
                        tcp::TcpServerSettings settings = {}, std::chrono::milliseconds delay = 0ms,
                        std::size_t references = 1024)
        : polls{std::make_shared<tcp::PollTable>(tcp::PollTable::Settings{references, 600s})},
          exchange{workers[0], std::move(script)},
          server{workers[0], exchange, polls, clock, settings, counters},
          listener{{}, {{workers[0], server}}} {
        exchange.delay = delay;
        listener.start();
        workers.start();
    }
    ~TcpFixture() {
        listener.stop();
        workers.drain(ra::BootClock::now() + 1s);
        workers.stop();
    }
    [[nodiscard]] RawSocket connect() const { return RawSocket::connect(listener.port()); }

    std::atomic<int> faults{0};
    common::Workers workers{1, [this](std::string_view, std::exception_ptr) { ++faults; }};
    tcp::TcpServerCounters counters;
    ra::SystemClock clock;
    std::shared_ptr<tcp::PollTable> polls;
    ScriptedExchange exchange;
    tcp::TcpServer server;
    common::Listener listener;
};

}  // namespace

TEST_SUITE("transports/tcp") {
    TEST_CASE("TcpServer: each framing is answered in its own, on one connection") {
        TcpFixture fixture;
        FrameSocket client{fixture.connect()};
        REQUIRE(client.write(versioned(0, "one")));
        CHECK(client.read() == versioned(5, "one"));
        REQUIRE(client.write(rfc2510(0, "two")));
        CHECK(client.read() == rfc2510(5, "two"));
        CHECK(fixture.faults == 0);
    }

    TEST_CASE("TcpServer: pipelined requests are answered in their order") {
        TcpFixture fixture;
        FrameSocket client{fixture.connect()};
        std::string all;
        for (int i = 0; i < 50; ++i) all += versioned(0, "message " + std::to_string(i));
        REQUIRE(client.write(all));
        for (int i = 0; i < 50; ++i)
            CHECK(client.read() == versioned(5, "message " + std::to_string(i)));
    }

    TEST_CASE("TcpServer: the close flag is repeated and ends the connection") {
        TcpFixture fixture;
        FrameSocket client{fixture.connect()};
        REQUIRE(client.write(versioned(0, "last", 1)));
        CHECK(client.read() == versioned(5, "last", 1));
        CHECK(client.ended());
    }

    TEST_CASE("TcpServer: what it refuses, and how") {
        struct Row {
            const char* name;
            std::string frame;
            std::string answer;
            bool closes;
        };
        const std::string text_type = "no such message type in a request";
        const Row rows[] = {
            {"a later version", versioned(0, "x", 0, 11),
             versioned(6,
                       std::string("\x01\x01\x00\x01\x0a", 5) + "version 10 is the highest here"),
             false},
            {"an answer", versioned(5, "x"),
             versioned(6, std::string("\x02\x01\x00\x01\x05", 5) + text_type), false},
            {"an unknown type", versioned(77, "x"),
             versioned(6, std::string("\x02\x01\x00\x01\x4d", 5) + text_type), false},
            {"an unknown flag", rfc2510(9, "x"), rfc2510(6, text_type), false},
            {"a polling reference of three octets", versioned(2, "abc"),
             versioned(6,
                       std::string("\x02\x00\x00\x00", 4) + "a polling reference is four octets"),
             false},
            {"a reference nobody gave", versioned(2, "abcd"),
             versioned(6, std::string("\x02\x02\x00\x04"
                                      "abcd",
                                      8) +
                              "no such polling reference"),
             false},
            {"16 MiB", std::string("\x01\x00\x00\x00\x0a\x00\x00", 7),
             versioned(6, std::string("\x02\x00\x00\x00", 4) + "frame too large", 1), true},
            {"a length that cannot be", std::string("\x00\x00\x00\x01\x0a\x00\x00", 7),
             versioned(6, std::string("\x02\x00\x00\x00", 4) + "malformed frame", 1), true},
        };
        for (const Row& row : rows) {
            CAPTURE(row.name);
            TcpFixture fixture;
            FrameSocket client{fixture.connect()};
            REQUIRE(client.write(row.frame));
            CHECK(client.read() == row.answer);
            if (row.closes) {
                CHECK(client.ended());
                continue;
            }
            REQUIRE(client.write(versioned(0, "still there")));
            CHECK(client.read() == versioned(5, "still there"));
        }
    }

    TEST_CASE("TcpServer: replies that are no answer") {
        struct Row {
            const char* name;
            ra::Reply reply;
            std::string versioned;
            std::string rfc2510;
        };
        const Row rows[] = {
            {"announcement stored", ra::Accepted{true}, versioned(3, std::string(1, '\0')),
             rfc2510(3, std::string(1, '\0'))},
            {"overload", ra::Overloaded{},
             versioned(6, std::string("\x03\x00\x00\x00", 4) + "busy: try again later"),
             rfc2510(6, "busy: try again later")},
            {"no CMP", ra::NotCmp{},
             versioned(6, std::string("\x02\x00\x00\x00", 4) + "no PKIMessage"),
             rfc2510(6, "no PKIMessage")},
            {"no CMP, but an error to send",
             ra::NotCmp{ra::NotCmp::Why::malformed, ra::to_bytes(ra::as_bytes("error"))},
             versioned(5, "error"), rfc2510(5, "error")},
        };
        for (const Row& row : rows) {
            CAPTURE(row.name);
            TcpFixture fixture{[&row](const ra::Arrival&) { return row.reply; }};
            FrameSocket client{fixture.connect()};
            REQUIRE(client.write(versioned(0, "x")));
            CHECK(client.read() == row.versioned);
            REQUIRE(client.write(rfc2510(0, "x")));
            CHECK(client.read() == row.rfc2510);
        }
    }

    TEST_CASE("TcpServer: a slow exchange is polled for, also on another connection") {
        tcp::TcpServerSettings settings;
        settings.poll_after = 20ms;
        TcpFixture fixture{echo, settings, 300ms};
        FrameSocket first{fixture.connect()};
        REQUIRE(first.write(versioned(0, "slow")));
        const std::string promise = first.read();
        REQUIRE(promise.size() == 15);
        CHECK(promise.substr(0, 7) == versioned(1, std::string(8, ' ')).substr(0, 7));
        const std::string reference = promise.substr(7, 4);
        CHECK(promise.substr(11) == std::string("\x00\x00\x00\x05", 4));

        REQUIRE(first.write(versioned(2, reference)));
        CHECK(first.read() == promise);  // the same reference while it lasts

        REQUIRE(eventually([&] { return fixture.exchange.finished == 1; }));
        FrameSocket second{fixture.connect()};
        REQUIRE(second.write(versioned(2, reference)));
        CHECK(second.read() == versioned(5, "slow"));
        REQUIRE(second.write(versioned(2, reference)));
        CHECK(second.read().substr(7, 4) == std::string("\x02\x02\x00\x04", 4));  // given once
        CHECK(fixture.polls->size() == 0);
    }

    TEST_CASE("TcpServer: five misses close the connection") {
        TcpFixture fixture;
        FrameSocket client{fixture.connect()};
        for (int i = 0; i < 5; ++i) {
            REQUIRE(client.write(versioned(2, "none")));
            CHECK(client.read().substr(7, 4) == std::string("\x02\x02\x00\x04", 4));
        }
        CHECK(client.ended());
    }

    TEST_CASE("TcpServer: without a free reference the client waits where it is") {
        tcp::TcpServerSettings settings;
        settings.poll_after = 10ms;
        TcpFixture fixture{echo, settings, 150ms, 0};
        FrameSocket client{fixture.connect()};
        REQUIRE(client.write(versioned(0, "slow")));
        CHECK(client.read() == versioned(5, "slow"));
    }

    TEST_CASE("TcpServer: a client that goes does not end its exchange") {
        TcpFixture fixture{echo, {}, 100ms};
        {
            FrameSocket client{fixture.connect()};
            REQUIRE(client.write(versioned(0, "gone")));
            REQUIRE(eventually([&] { return fixture.exchange.arrivals().size() == 1; }));
        }
        CHECK(eventually([&] { return fixture.exchange.finished == 1; }));
        FrameSocket next{fixture.connect()};
        REQUIRE(next.write(versioned(0, "next")));
        CHECK(next.read() == versioned(5, "next"));
        CHECK(fixture.faults == 0);
    }

    TEST_CASE("TcpServer: slow and silent clients are closed") {
        tcp::TcpServerSettings settings;
        settings.idle_time = 100ms;
        settings.receive_time = 100ms;
        TcpFixture fixture{echo, settings};
        FrameSocket silent{fixture.connect()};
        CHECK(silent.ended());
        FrameSocket half{fixture.connect()};
        REQUIRE(half.write(versioned(0, "all of it").substr(0, 9)));
        CHECK(half.ended());
        CHECK(fixture.exchange.arrivals().empty());
    }

    TEST_CASE("PollTable: references belong to their client and expire") {
        ra::SystemRandom random;
        tcp::PollTable table{tcp::PollTable::Settings{2, 60s}};
        const auto now = ra::BootClock::now();
        const auto first = table.open("192.0.2.1", random, now);
        const auto second = table.open("192.0.2.2", random, now + 30s);
        REQUIRE(first.has_value());
        REQUIRE(second.has_value());
        CHECK_FALSE(table.open("192.0.2.3", random, now + 30s).has_value());

        using Table = tcp::PollTable;
        CHECK(std::holds_alternative<Table::Pending>(table.collect(*first, "192.0.2.1", now)));
        CHECK(std::holds_alternative<Table::Unknown>(table.collect(*first, "192.0.2.2", now)));
        table.finish(*first, ra::Accepted{}, now + 1s);
        CHECK(std::holds_alternative<Table::Unknown>(table.collect(*first, "192.0.2.2", now)));
        CHECK(std::holds_alternative<ra::Reply>(table.collect(*first, "192.0.2.1", now + 60s)));
        CHECK(
            std::holds_alternative<Table::Unknown>(table.collect(*second, "192.0.2.2", now + 90s)));
        // What expired makes room.
        CHECK(table.open("192.0.2.3", random, now + 91s).has_value());
        CHECK(table.open("192.0.2.3", random, now + 91s).has_value());
    }
}
