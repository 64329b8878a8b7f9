#include <doctest/doctest.h>
#include <signal.h>

#include "tests/transports/coap/client_fixture.h"

using namespace coap_test;
using coap::Protocol;

TEST_SUITE("transports/coap") {
    TEST_CASE("CoapCourier: delivers over UDP and TCP, at once and after a while") {
        for (const Protocol protocol : {Protocol::udp, Protocol::tcp}) {
            coap::CoapServerSettings settings;
            settings.protocol = protocol;
            CoapFixture server{echo, settings};
            ClientFixture client{server.server->port(), protocol};
            for (const std::size_t size : {50U, 700U, 1025U, 2800U, 262'144U}) {
                CAPTURE(size);
                CAPTURE(static_cast<int>(protocol));
                CHECK((content_of(client.send(text_of(size))) == text_of(size)));
            }
            server.exchange.delay = 700ms;
            CHECK((content_of(client.send(text_of(2800))) == text_of(2800)));
            const auto arrivals = server.exchange.arrivals();
            CHECK(arrivals.size() == 6);
            CHECK(arrivals.back().label == "line3");
            CHECK(arrivals.back().advised == ra::Operation::kur);
            CHECK(client.counters.connects.get() == 1);
            CHECK(client.counters.delivered.get() == 6);
            CHECK(client.probe(3s));
            CHECK(client.faults == 0);
        }
    }

    TEST_CASE("CoapCourier: the answer comes in blocks, the request did not") {
        CoapFixture server{[](const ra::Arrival&) { return answer(text_of(1500)); }};
        ClientFixture client{server.server->port()};
        const std::string body = text_of(900);
        CHECK((content_of(client.send(body)) == text_of(1500)));
        server.exchange.delay = 700ms;
        CHECK((content_of(client.send(body)) == text_of(1500)));
    }

    TEST_CASE("CoapCourier: many at a time share one session") {
        CoapFixture server{echo, {}, 100ms};
        ClientFixture client{server.server->port()};
        std::vector<std::string> bodies;
        for (int i = 0; i < 40; ++i) bodies.push_back(std::to_string(i) + text_of(1500));
        std::vector<std::future<ra::Sent>> sent;
        for (const std::string& body : bodies) sent.push_back(client.begin(body));
        for (std::size_t i = 0; i < bodies.size(); ++i)
            CHECK((content_of(sent[i].get()) == bodies[i]));
        CHECK(client.counters.connects.get() == 1);
    }

    TEST_CASE("S-04: CoapCourier says NotSent only where nobody can have the message") {
        const std::string one = text_of(700);
        const std::string blocks = text_of(5000);
        {
            // Takes datagrams and says nothing.
            const int silent = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
            sockaddr_in at{};
            at.sin_family = AF_INET;
            at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
            socklen_t size = sizeof at;
            REQUIRE(::bind(silent, reinterpret_cast<sockaddr*>(&at), size) == 0);
            getsockname(silent, reinterpret_cast<sockaddr*>(&at), &size);
            ClientFixture client{ntohs(at.sin_port)};
            CHECK(ending(client.send(one, 400ms)) == "unknown: deadline");
            CHECK(ending(client.send(blocks, 400ms)) == "not sent: deadline");
            CHECK_FALSE(client.probe(300ms));
            ::close(silent);
        }
        {
            ClientFixture nobody{9, Protocol::tcp};
            CHECK(ending(nobody.send(one, 3s)) == "not sent: connect");
            CHECK_FALSE(nobody.probe(300ms));
        }
        // The connection breaks while the exchange runs.
        coap::CoapServerSettings settings;
        settings.protocol = Protocol::tcp;
        CoapFixture server{echo, settings, 500ms};
        ClientFixture client{server.server->port(), Protocol::tcp};
        auto sent = client.begin(one);
        CHECK(eventually([&] { return server.exchange.arrivals().size() == 1; }));
        server.at_home([&] { server.server.reset(); });
        CHECK(ending(sent.get()) == "unknown: reset");
    }

    TEST_CASE("CoapCourier: one datagram in five lost: delivered, and asked once") {
        CoapFixture server;
        std::map<std::string, int> lost;
        std::mutex mutex;
        std::uint64_t state = 11;
        Relay relay{server.server->port(), [&](bool, const std::string& octets) {
                        const std::lock_guard lock{mutex};
                        state = state * 6364136223846793005U + 1442695040888963407U;
                        return (state >> 33U) % 5 != 0 || ++lost[octets] > 2;
                    }};
        ClientFixture client{relay.port()};
        for (int i = 0; i < 4; ++i) {
            const std::string body = std::to_string(i) + text_of(2000);
            CHECK((content_of(client.send(body, 60s)) == body));
        }
        CHECK(relay.dropped.load() > 0);
        CHECK(server.exchange.arrivals().size() == 4);
    }

    TEST_CASE("CoapCourier: a server that knows nothing of CMP") {
        Folder folder;
        std::uint16_t port = 0;
        {
            CoapFixture probe;  // a port that was free a moment ago
            port = probe.server->port();
        }
        const std::string start = "exec timeout 20 coap-server-notls -A 127.0.0.1 -p " +
                                  std::to_string(port) + " > /dev/null 2>&1 & echo $!";
        const std::string pid = output_of("sh -c '" + start + "'");
        ClientFixture client{port};
        CHECK(eventually([&] { return client.probe(500ms); }));
        CHECK(ending(client.send(text_of(700))) == "404");
        ::kill(static_cast<pid_t>(std::stol(pid)), SIGTERM);
    }
}
