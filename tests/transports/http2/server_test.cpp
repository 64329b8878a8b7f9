#include "transports/http2/server.h"

#include <doctest/doctest.h>

#include "tests/support/tls_pki.h"
#include "tests/transports/http1/fixture.h"
#include "transports/http2/client.h"

using namespace fixture;
using transports::http2::Http2Courier;
using transports::http2::Http2Server;

TEST_SUITE_BEGIN("transports/http2");

namespace {

/// A worker with HTTP/1 and HTTP/2 on one port.
struct Both {
    explicit Both(http1::HttpServerSettings settings = {}, common::TlsContextPtr tls = nullptr,
                  std::chrono::milliseconds delay = 0ms)
        : exchange{workers[0], echo},
          http2{workers[0], exchange, settings, counters},
          http1{workers[0], exchange, settings, counters} {
        exchange.delay = delay;
        http1.set_http2(&http2);
        common::ListenerSettings listen;
        listen.tls = std::move(tls);
        listener.emplace(listen, std::vector<common::Listener::Seat>{{workers[0], http1}});
        listener->start();
        workers.start();
    }
    ~Both() {
        listener->stop();
        workers.drain(ra::BootClock::now() + 200ms);
        workers.stop();
    }
    [[nodiscard]] std::uint16_t port() const { return listener->port(); }
    [[nodiscard]] std::uint64_t open() const { return listener->counters(0).open.get(); }

    std::atomic<int> faults{0};
    common::Workers workers{1, [this](std::string_view, std::exception_ptr) { ++faults; }};
    http1::HttpServerCounters counters;
    ScriptedExchange exchange;
    Http2Server http2;
    http1::HttpServer http1;
    std::optional<common::Listener> listener;
};

/// A worker with an HTTP/2 client.
struct Client {
    explicit Client(std::uint16_t port,
                    Http2Courier::Mode mode = Http2Courier::Mode::prior_knowledge,
                    common::TlsContextPtr tls = nullptr) {
        auto settings =
            http1::HttpClientSettings::for_url({tls ? "localhost" : "127.0.0.1", port,
                                                std::string{http1::kWellKnown}, tls != nullptr});
        settings.tls = std::move(tls);
        courier = std::make_unique<Http2Courier>(workers[0], settings, mode, counters);
        workers.start();
    }
    ~Client() {
        workers[0].post([this] { courier->close(); });
        workers.drain(ra::BootClock::now() + 1s);
        workers.stop();
    }
    std::future<ra::Sent> start(ra::ByteView der, std::chrono::milliseconds time = 5s) {
        ra::Delivery delivery;
        delivery.der = der;
        delivery.deadline = ra::BootClock::now() + time;
        delivery.label = "line3";
        delivery.operation = ra::Operation::kur;
        return boost::asio::co_spawn(workers[0].context(), courier->send(delivery),
                                     boost::asio::use_future);
    }
    common::Workers workers{1, [](std::string_view, std::exception_ptr) {}};
    http1::HttpClientCounters counters;
    std::unique_ptr<Http2Courier> courier;
};

std::string frame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream,
                  const std::string& payload = {}) {
    std::string octets;
    for (const std::size_t value : {payload.size() >> 16U, payload.size() >> 8U, payload.size()})
        octets += static_cast<char>(value);
    octets += static_cast<char>(type);
    octets += static_cast<char>(flags);
    for (unsigned shift = 32; shift != 0; shift -= 8)
        octets += static_cast<char>(stream >> (shift - 8));
    return octets + payload;
}

std::string request(std::uint32_t stream, bool last) {
    const std::string block =
        std::string{
            "\x83\x86\x04\x10/.well-known/cmp\x01\x01"
            "a\x0f\x10\x13"} +
        "application/pkixcmp";
    return frame(0x01, static_cast<std::uint8_t>(last ? 0x05 : 0x04), stream, block);
}

std::string preface(const std::string& settings = {}) {
    return "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(0x04, 0, 0, settings);
}

}  // namespace

TEST_CASE("HTTP/2 and HTTP/1.1 on one port; many deliveries over few connections") {
    Both server{{}, nullptr, 50ms};
    Client client{server.port()};
    std::vector<std::string> bodies;
    for (int i = 0; i < 150; ++i) bodies.push_back("message " + std::to_string(i));
    std::vector<std::future<ra::Sent>> sent;
    for (const std::string& body : bodies) sent.push_back(client.start(ra::as_bytes(body)));
    for (std::size_t i = 0; i < bodies.size(); ++i)
        CHECK(outcome(sent[i].get()) == "delivered " + bodies[i]);
    CHECK(client.counters.connects.get() <= 4);
    CHECK(server.counters.requests.get() == 150);
    const auto arrivals = server.exchange.arrivals();
    CHECK(arrivals[0].label == "line3");
    CHECK(arrivals[0].advised == ra::Operation::kur);
    CHECK(arrivals[0].peer.address == "127.0.0.1");

    RawSocket old = RawSocket::connect(server.port());
    REQUIRE(old.write("P"));  // begins like the preface
    std::this_thread::sleep_for(20ms);
    REQUIRE(old.write(post("x").substr(1)));
    CHECK(status_of(old.read_response()) == 200);
    CHECK(server.faults == 0);
}

TEST_CASE("HTTP/2: content of every size, both ways") {
    Both server;
    Client client{server.port()};
    for (const std::size_t size : {1UL, 16'384UL, 65'536UL, 256UL * 1024}) {
        const std::string body(size, 'b');
        CHECK(outcome(client.start(ra::as_bytes(body)).get()) == "delivered " + body);
    }
    const std::string large(256 * 1024 + 1, 'b');
    CHECK(outcome(client.start(ra::as_bytes(large)).get()).starts_with("rejected 413 "));
}

TEST_CASE("HTTP/2: the client is gone: the exchange ends, its reply is dropped") {
    Both server{{}, nullptr, 100ms};
    {
        RawSocket raw = RawSocket::connect(server.port());
        REQUIRE(raw.write(preface() + request(1, false) + frame(0x00, 1, 1, "x")));
        REQUIRE(eventually([&] { return server.exchange.arrivals().size() == 1; }));
        raw.reset();
    }
    CHECK(eventually([&] { return server.exchange.finished == 1; }));
    CHECK(eventually([&] { return server.counters.dropped_replies.get() == 1; }));
    CHECK(eventually([&] { return server.open() == 0; }));
    CHECK(server.faults == 0);
}

TEST_CASE("HTTP/2: streams that are reset go on counting while their exchanges run") {
    Both server{{}, nullptr, 300ms};
    RawSocket raw = RawSocket::connect(server.port());
    std::string octets = preface();
    // Within the budget of resets, beyond what may run.
    for (std::uint32_t i = 0; i < 60; ++i) {
        octets += request(2 * i + 1, true);
        octets += frame(0x03, 0, 2 * i + 1, std::string("\0\0\0\x08", 4));
    }
    for (std::uint32_t i = 60; i < 140; ++i) octets += request(2 * i + 1, true);
    REQUIRE(raw.write(octets));
    CHECK(eventually([&] { return server.exchange.arrivals().size() == 100; }));
    CHECK(eventually([&] { return server.exchange.finished == 100; }));
    CHECK(server.exchange.arrivals().size() == 100);  // the others: REFUSED_STREAM
    CHECK(eventually([&] { return server.counters.dropped_replies.get() == 60; }));
}

TEST_CASE("HTTP/2: silent, half and slow peers are not waited for") {
    http1::HttpServerSettings settings;
    settings.idle_time = 300ms;
    settings.receive_time = 200ms;
    settings.send_time = 300ms;
    Both server{settings};
    RawSocket silent = RawSocket::connect(server.port());
    REQUIRE(silent.write(preface()));
    CHECK(has(silent.read_all(), frame(0x07, 0, 0, std::string(8, '\0'))));  // GOAWAY
    RawSocket half = RawSocket::connect(server.port());
    REQUIRE(half.write(preface() + request(1, false)));
    const std::string told = half.read_all();
    CHECK(has(told, "408"));
    CHECK(server.counters.timeouts.get() >= 1);
    RawSocket cut = RawSocket::connect(server.port());
    REQUIRE(cut.write("PRI * HTT"));
    (void)cut.read_all();
    // Asks for much and reads nothing: windows are wide open, the socket is not.
    RawSocket slow = RawSocket::connect(server.port());
    const int small = 4096;
    setsockopt(slow.get(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    std::string octets = preface(std::string("\0\x04\x7f\xff\xff\xff", 6)) +
                         frame(0x08, 0, 0, std::string("\x7f\0\0\0", 4));
    for (std::uint32_t i = 0; i < 100; ++i) {
        octets += request(2 * i + 1, false);
        for (int part = 0; part < 3; ++part)
            octets += frame(0x00, 0, 2 * i + 1, std::string(16'000, 'x'));
        octets += frame(0x00, 1, 2 * i + 1, "x");
    }
    std::thread writer{[&] { (void)slow.write(octets); }};
    CHECK(eventually([&] { return server.counters.requests.get() > 0; }));
    CHECK(eventually([&] { return server.open() == 0; }));
    writer.join();
    CHECK(server.faults == 0);
}

TEST_CASE("HTTP/2: stop finishes streams, and says what it did not look at") {
    auto server = std::make_unique<Both>(http1::HttpServerSettings{}, nullptr, 300ms);
    RawSocket raw = RawSocket::connect(server->port());
    REQUIRE(raw.write(preface() + request(1, false) + frame(0x00, 1, 1, "body")));
    REQUIRE(eventually([&] { return server->exchange.arrivals().size() == 1; }));
    RawSocket idle = RawSocket::connect(server->port());
    REQUIRE(idle.write(preface()));
    (void)idle.read_some();
    server->listener->stop();
    CHECK(server->workers.drain(ra::BootClock::now() + 4s));
    const std::string said = raw.read_all();
    CHECK(has(said, "body"));
    const auto notice = said.find(frame(0x07, 0, 0, std::string("\x7f\xff\xff\xff\0\0\0\0", 8)));
    const auto end = said.find(frame(0x07, 0, 0, std::string("\0\0\0\x01\0\0\0\0", 8)));
    CHECK(notice != std::string::npos);
    CHECK(end != std::string::npos);
    CHECK(notice < end);
    CHECK(has(idle.read_all(), frame(0x07, 0, 0, std::string(8, '\0'))));
}

TEST_CASE("HTTP/2: the client and servers that go away or are none") {
    {
        Client nobody{common::open_listen_sockets("127.0.0.1", 0, 1, 1).port};
        CHECK(outcome(nobody.start(ra::as_bytes("x")).get()) == "not sent connect");
    }
    auto server = std::make_unique<Both>(http1::HttpServerSettings{}, nullptr, 1s);
    Client client{server->port()};
    auto late = client.start(ra::as_bytes("late"), 100ms);
    CHECK(outcome(late.get()) == "unknown deadline");
    auto cut = client.start(ra::as_bytes("cut"));
    REQUIRE(eventually([&] { return server->exchange.arrivals().size() == 2; }));
    server->workers[0].post([&] { server->workers[0].tasks().cancel(); });
    CHECK(outcome(cut.get()) == "unknown reset");
    CHECK(eventually([&] { return client.counters.open.get() == 0; }));
}

TEST_CASE("HTTP/2: by ALPN where both want it, else HTTP/1.1 over the same connection") {
    const test::TlsAuthority authority{"Root"};
    transports::common::TlsClientSettings trust;
    trust.trust.anchors.push_back(authority.root());
    const auto client_tls = common::TlsContext::client(trust);
    for (const bool agrees : {true, false}) {
        CAPTURE(agrees);
        common::TlsServerSettings settings;
        settings.identities.push_back(authority.issue({}));
        settings.session_scope = "test";
        settings.protocols = {"http/1.1"};
        if (agrees) settings.protocols.insert(settings.protocols.begin(), "h2");
        Both server{
            {}, common::TlsContext::server(settings, std::make_shared<common::TlsTicketKeys>())};
        Client client{server.port(), Http2Courier::Mode::negotiated, client_tls};
        for (int i = 0; i < 3; ++i)
            CHECK(outcome(client.start(ra::as_bytes("over TLS")).get()) == "delivered over TLS");
        CHECK(client.counters.connects.get() == 1);
        CHECK(client.counters.deliveries.get() == 3);
        CHECK(client.counters.delivered.get() == 3);
        REQUIRE(server.exchange.arrivals().size() == 3);
        REQUIRE(server.exchange.arrivals()[0].peer.tls != nullptr);
        CHECK(server.exchange.arrivals()[0].peer.tls->version == "TLSv1.3");
    }
}

TEST_SUITE_END();
