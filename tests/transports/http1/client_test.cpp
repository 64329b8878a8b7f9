#include "transports/http1/client.h"

#include <doctest/doctest.h>

#include "fixture.h"

using namespace fixture;

TEST_SUITE_BEGIN("transports/http1");

namespace {

/// A worker with a courier towards `port`.
struct Client {
    explicit Client(std::uint16_t port,
                    const std::function<void(http1::HttpClientSettings&)>& adjust = {},
                    const std::string& host = "127.0.0.1") {
        auto settings =
            http1::HttpClientSettings::for_url({host, port, std::string{http1::kWellKnown}});
        if (adjust) adjust(settings);
        courier = std::make_unique<http1::HttpCourier>(workers[0], settings, counters);
        workers.start();
    }
    ~Client() {
        workers[0].post([this] { courier->close(); });
        workers.drain(ra::BootClock::now() + 100ms);
        workers.stop();
    }

    std::future<ra::Sent> start(ra::ByteView der, bool repeatable, ra::BootClock::duration time) {
        ra::Delivery delivery;
        delivery.der = der;
        delivery.deadline = ra::BootClock::now() + time;
        delivery.repeatable = repeatable;
        delivery.label = "line3";
        delivery.operation = ra::Operation::kur;
        return boost::asio::co_spawn(workers[0].context(), courier->send(delivery),
                                     boost::asio::use_future);
    }
    ra::Sent send(std::string_view text, bool repeatable = false,
                  ra::BootClock::duration time = 3s) {
        return start(ra::as_bytes(text), repeatable, time).get();
    }

    common::Workers workers{1, [](std::string_view, std::exception_ptr) {}};
    http1::HttpClientCounters counters;
    std::unique_ptr<http1::HttpCourier> courier;
};

std::string response(std::string_view content, std::string_view status = "200 OK",
                     std::string_view type = "application/pkixcmp") {
    return "HTTP/1.1 " + std::string{status} + "\r\nContent-Type: " + std::string{type} +
           "\r\nContent-Length: " + std::to_string(content.size()) + "\r\n\r\n" +
           std::string{content};
}

/// Reads one request (header and content).
std::string read_request(RawSocket& socket) { return socket.read_response(); }

std::uint16_t closed_port() {
    return common::open_listen_sockets("127.0.0.1", 0, 1, 1).port;  // closed on return
}

}  // namespace

TEST_CASE("HttpCourier: what a peer answers, and what becomes of it") {
    const std::string ok = "HTTP/1.1 200 OK\r\nContent-Type: application/pkixcmp\r\n";
    struct Row {
        const char* name;
        std::string answer;
        const char* want;
    };
    const Row rows[] = {
        {"200", response("abc"), "delivered abc"},
        {"200 chunked", ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
         "delivered abc"},
        {"200 until close", ok + "\r\nabc", "delivered abc"},
        {"old media type", response("abc", "200 OK", "application/x-pkixcmp;charset=x"),
         "delivered abc"},
        {"100 first", "HTTP/1.1 100 Continue\r\n\r\n" + response("abc"), "delivered abc"},
        {"200 of another type", response("abc", "200 OK", "text/html"), "rejected 200 "},
        {"200 empty", response(""), "rejected 200 "},
        {"400 with CMP", response("abc", "400 Bad Request"), "rejected 400 abc"},
        {"503", response("oops", "503 Busy", "text/plain"), "rejected 503 "},
        {"302 not followed", response("abc", "302 Found"), "rejected 302 "},
        {"cut short", ok + "Content-Length: 10\r\n\r\nabc", "unknown reset"},
        {"chunked, cut short", ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
         "unknown reset"},
        {"closed at once", "", "unknown reset"},
        {"giant", ok + "Content-Length: 104857600\r\n\r\nabc", "unknown too large"},
        {"length and chunked",
         ok + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
         "unknown malformed"},
        {"no HTTP", "SSH-2.0-OpenSSH\r\n\r\n", "unknown malformed"},
        {"interim without end",
         [] {
             std::string many;
             for (int i = 0; i < 20; ++i) many += "HTTP/1.1 102 Processing\r\n\r\n";
             return many;
         }(),
         "unknown malformed"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        ScriptedPeer peer{[&](RawSocket& socket, int) {
            read_request(socket);
            socket.write(row.answer);
        }};
        Client client{peer.port()};
        CHECK(outcome(client.send("request")) == row.want);
        CHECK(client.counters.connects.get() == 1);
    }
}

TEST_CASE("HttpCourier: the request on the wire") {
    std::string seen;
    ScriptedPeer peer{[&](RawSocket& socket, int) {
        seen = read_request(socket);
        socket.write(response("abc"));
    }};
    {
        Client client{peer.port()};
        CHECK(outcome(client.send("request")) == "delivered abc");
    }
    CHECK(has(seen, "POST /.well-known/cmp/p/line3/keyupdate HTTP/1.1\r\nHost: 127.0.0.1:" +
                        std::to_string(peer.port()) + "\r\n"));
    CHECK(has(seen, "Content-Type: application/pkixcmp\r\n"));
    CHECK(has(seen, "X-Request-Id: 00000000000000000000000000000000\r\n"));
    CHECK(content_of(seen) == "request");
}

TEST_CASE("HttpCourier: connections are reused") {
    Server server;
    Client client{server.port()};
    for (int i = 0; i < 10; ++i) CHECK(outcome(client.send("x")) == "delivered x");
    CHECK(client.counters.connects.get() == 1);
    CHECK(client.counters.reused.get() == 9);
    CHECK(server.listener.counters(0).accepted.get() == 1);
}

TEST_CASE("S-04: a pooled connection that died is noticed before anything is sent") {
    std::atomic<int> requests{0};
    ScriptedPeer peer{[&](RawSocket& socket, int) {
        read_request(socket);
        ++requests;
        socket.write(response("abc"));  // and closes
    }};
    Client client{peer.port()};
    CHECK(outcome(client.send("1")) == "delivered abc");
    std::this_thread::sleep_for(50ms);
    CHECK(outcome(client.send("2")) == "delivered abc");
    CHECK(client.counters.stale.get() == 1);
    CHECK(client.counters.retried.get() == 0);
    CHECK(requests == 2);
}

TEST_CASE("S-04: octets nobody asked for are never an answer") {
    ScriptedPeer peer{[&](RawSocket& socket, int connection) {
        read_request(socket);
        if (connection == 0) {
            socket.write(response("first"));
            std::this_thread::sleep_for(20ms);
            socket.write(response("planted"));
            socket.read_some();
        } else {
            socket.write(response("second"));
        }
    }};
    Client client{peer.port()};
    CHECK(outcome(client.send("1")) == "delivered first");
    std::this_thread::sleep_for(100ms);
    CHECK(outcome(client.send("2")) == "delivered second");
}

TEST_CASE("S-04: the peer closes on the second request: repeated only if that does no harm") {
    for (const bool repeatable : {false, true}) {
        CAPTURE(repeatable);
        std::atomic<int> requests{0};
        ScriptedPeer peer{[&](RawSocket& socket, int connection) {
            read_request(socket);
            ++requests;
            socket.write(response("abc"));
            if (connection != 0) return;
            read_request(socket);
            ++requests;
        }};
        Client client{peer.port()};
        CHECK(outcome(client.send("1", repeatable)) == "delivered abc");
        CHECK(outcome(client.send("2", repeatable)) ==
              (repeatable ? "delivered abc" : "unknown reset"));
        CHECK(requests == (repeatable ? 3 : 2));
    }
}

TEST_CASE("HttpCourier: not sent") {
    {
        Client client{closed_port()};
        CHECK(outcome(client.send("x")) == "not sent connect");
        CHECK(outcome(client.send("x", false, -1s)) == "not sent deadline");
    }
    Client nameless{1, {}, "no-such-host.invalid"};
    CHECK(outcome(nameless.send("x", false, 5s)) == "not sent name");
    Client named{closed_port(), {}, "localhost"};
    CHECK(outcome(named.send("x")) == "not sent connect");
}

TEST_CASE("HttpCourier: a silent server costs the deadline, not more") {
    ScriptedPeer peer{[](RawSocket& socket, int) {
        read_request(socket);
        socket.read_some();  // until the client gives up
    }};
    Client client{peer.port()};
    const auto begin = std::chrono::steady_clock::now();
    CHECK(outcome(client.send("x", true, 200ms)) == "unknown deadline");
    const auto took = std::chrono::steady_clock::now() - begin;
    CHECK(took >= 200ms);
    CHECK(took < 1s);
    CHECK(eventually([&] { return client.counters.open.get() == 0; }));
}

TEST_CASE("HttpCourier: connections and the queue for them are bounded") {
    Server server{echo, {}, {}, 150ms};
    Client client{server.port(), [](http1::HttpClientSettings& settings) {
                      settings.max_connections = 2;
                      settings.max_waiting = 3;
                  }};
    std::vector<std::future<ra::Sent>> sent;
    for (int i = 0; i < 6; ++i) sent.push_back(client.start(ra::as_bytes("x"), false, 3s));
    int delivered = 0;
    int busy = 0;
    for (auto& one : sent) {
        const std::string what = outcome(one.get());
        if (what == "delivered x") ++delivered;
        if (what == "not sent busy") ++busy;
    }
    CHECK(delivered == 5);
    CHECK(busy == 1);
    CHECK(client.counters.connects.get() == 2);
    CHECK(client.counters.waiting.get() == 0);
    // One that waits leaves at its deadline.
    auto first = client.start(ra::as_bytes("x"), false, 3s);
    auto second = client.start(ra::as_bytes("x"), false, 3s);
    auto third = client.start(ra::as_bytes("x"), false, 50ms);
    CHECK(outcome(third.get()) == "not sent busy");
    CHECK(outcome(first.get()) == "delivered x");
    CHECK(outcome(second.get()) == "delivered x");
}

TEST_CASE("HttpCourier: a big request to a peer that reads late") {
    const std::string big(1024 * 1024, 'x');
    ScriptedPeer peer{[&](RawSocket& socket, int) {
        std::this_thread::sleep_for(50ms);
        socket.write(response(std::to_string(content_of(read_request(socket)).size())));
    }};
    Client client{peer.port()};
    CHECK(outcome(client.send(big, false, 20s)) == "delivered " + std::to_string(big.size()));
}

TEST_CASE("HttpCourier: idle connections are closed in time") {
    Server server;
    Client client{server.port(),
                  [](http1::HttpClientSettings& settings) { settings.idle_time = 100ms; }};
    CHECK(outcome(client.send("x")) == "delivered x");
    CHECK(client.counters.open.get() == 1);
    CHECK(eventually([&] { return client.counters.open.get() == 0; }));
    CHECK(eventually([&] { return server.listener.counters(0).open.get() == 0; }));
}

TEST_SUITE_END();
