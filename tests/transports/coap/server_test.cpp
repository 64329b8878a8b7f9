#include "transports/coap/server.h"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <set>

#include "tests/transports/coap/fixture.h"

using namespace coap_test;

namespace {

constexpr const char* kClients[] = {"coap-client-openssl", "coap-client-gnutls",
                                    "coap-client-notls"};
constexpr const char* kClient = "coap-client-notls";

coap::CoapServerSettings over(coap::Protocol protocol) {
    coap::CoapServerSettings settings;
    settings.protocol = protocol;
    return settings;
}

/// Loses one in five, but none of them more than twice: with five tries each (RFC 7252 4.8) one
/// exchange in 160 would fail otherwise, whoever has them.
class Losses {
public:
    bool passes(const std::string& octets = "") {
        state_ = state_ * 6364136223846793005U + 1442695040888963407U;
        if ((state_ >> 33U) % 5 != 0) return true;
        return !octets.empty() && ++lost_[octets] > 2;
    }

private:
    std::uint64_t state_ = 4;
    std::map<std::string, int> lost_;
};

}  // namespace

TEST_SUITE("transports/coap") {
    TEST_CASE("CoapServer: coap-client gets what it posts, of every size, over UDP and TCP") {
        for (const auto protocol : {coap::Protocol::udp, coap::Protocol::tcp}) {
            CoapFixture fixture{echo, over(protocol)};
            for (const char* client : kClients) {
                const bool tcp = protocol == coap::Protocol::tcp;
                for (const std::size_t size : {1U, 700U, 1024U, 2800U, 65'536U, 262'144U}) {
                    CAPTURE(client);
                    CAPTURE(tcp);
                    CAPTURE(size);
                    const std::size_t before = fixture.exchange.arrivals().size();
                    CHECK(fixture.post(client, text_of(size)) == text_of(size));
                    CHECK(fixture.exchange.arrivals().size() == before + 1);
                }
            }
            const auto arrivals = fixture.exchange.arrivals();
            CHECK(arrivals.front().peer.address == "127.0.0.1");
            CHECK(arrivals.front().peer.port != 0);
            CHECK(arrivals.front().peer.tls == nullptr);
            CHECK(fixture.faults == 0);
        }
    }

    TEST_CASE("CoapServer: small blocks, labels, discovery, one octet too much") {
        CoapFixture fixture;
        CHECK(fixture.post(kClient, text_of(2800), "-b 64") == text_of(2800));
        CHECK(output_of(std::string{kClient} + " -m get " + fixture.url("/.well-known/core"))
                  .find("</.well-known/cmp>;ct=259") != std::string::npos);
        const std::string request = fixture.folder.write("request", text_of(800));
        output_of(std::string{kClient} + " -m post -t 259 -f " + request + " " +
                  fixture.url("/.well-known/cmp/p/line3/p10"));
        const auto arrivals = fixture.exchange.arrivals();
        CHECK(arrivals.back().label == "line3");
        CHECK(arrivals.back().advised == ra::Operation::p10cr);
        CHECK(fixture.post(kClient, text_of(262'145)).empty());
        CHECK(fixture.last_output.find("4.13") != std::string::npos);
        CHECK(fixture.exchange.arrivals().size() == arrivals.size());
        const std::string got =
            output_of(std::string{kClient} + " -m post -t 42 -f " + request + " " + fixture.url());
        CHECK(got.find("4.15") != std::string::npos);
    }

    TEST_CASE("CoapServer: an empty acknowledgement at once, the answer when it comes") {
        CoapFixture fixture{echo, {}, 3s};
        std::atomic<std::int64_t> asked{0};
        std::atomic<std::int64_t> acknowledged{0};
        std::atomic<int> requests{0};
        Relay relay{fixture.server->port(), [&](bool upstream, const std::string& octets) {
                        const auto now = ra::BootClock::now().time_since_epoch().count();
                        if (upstream && wire_code_of(octets) == 2) {
                            ++requests;
                            asked = now;
                        }
                        if (!upstream && type_of(octets) == 2 && wire_code_of(octets) == 0)
                            acknowledged = now;
                        return true;
                    }};
        CHECK((fixture.post(kClient, text_of(700), "", relay.port()) == text_of(700)));
        CHECK(requests == 1);  // acknowledged, it was not sent again
        CHECK(acknowledged > asked);
        CHECK(acknowledged - asked < 1'000'000'000);
        CHECK((fixture.post(kClient, text_of(2800), "", relay.port()) == text_of(2800)));
        CHECK(fixture.counters.separate.get() == 2);
    }

    TEST_CASE("CoapServer: the first answer lost, the acknowledgement lost: one exchange") {
        for (const unsigned lost_type : {0U, 2U}) {
            CAPTURE(lost_type);
            CoapFixture fixture;
            std::atomic<int> seen{0};
            Relay relay{fixture.server->port(), [&](bool upstream, const std::string& octets) {
                            const bool wanted = !upstream && type_of(octets) == lost_type &&
                                                wire_code_of(octets) != 95;  // 2.31
                            return !wanted || ++seen != 1;
                        }};
            // Acknowledgement and answer in one, or apart.
            fixture.exchange.delay = lost_type == 0 ? 600ms : 0ms;
            CHECK(fixture.post(kClient, text_of(2800), "", relay.port()) == text_of(2800));
            CHECK(relay.dropped == 1);
            CHECK(fixture.exchange.arrivals().size() == 1);
        }
    }

    TEST_CASE("CoapServer: everything the server sends at first is lost: repeated, one exchange") {
        CoapFixture fixture;
        std::atomic<int> seen{0};
        Relay relay{fixture.server->port(),
                    [&](bool upstream, const std::string&) { return upstream || ++seen > 2; }};
        CHECK(fixture.post(kClient, text_of(900), "", relay.port()) == text_of(900));
        CHECK(relay.dropped == 2);
        CHECK(fixture.exchange.arrivals().size() == 1);
        CHECK(fixture.counters.repeated.get() + fixture.counters.datagrams.get() >= 2);
    }

    TEST_CASE("CoapServer: one datagram in five lost: every device is answered, asked once") {
        CoapFixture fixture{echo, {}, 20ms};
        std::mutex mutex;
        Losses losses;
        Relay relay{fixture.server->port(), [&](bool, const std::string& octets) {
                        const std::lock_guard lock{mutex};
                        return losses.passes(octets);
                    }};
        constexpr int kDevices = 12;
        std::vector<std::future<std::string>> devices;
        for (int i = 0; i < kDevices; ++i) {
            const std::string text = std::to_string(i) + text_of(1500);
            const std::string request = fixture.folder.write("in" + std::to_string(i), text);
            const std::string answer = fixture.folder.file("out" + std::to_string(i));
            devices.push_back(std::async(std::launch::async, [&, request, answer] {
                std::string command{kClient};
                command.append(" -m post -t 259 -f ").append(request).append(" -o ").append(answer);
                command.append(" ").append(fixture.url("/.well-known/cmp", relay.port()));
                return output_of(command);
            }));
        }
        for (int i = 0; i < kDevices; ++i) {
            const std::string said = devices[static_cast<std::size_t>(i)].get();
            CAPTURE(said);
            CHECK(fixture.folder.read("out" + std::to_string(i)) ==
                  std::to_string(i) + text_of(1500));
        }
        CHECK(relay.dropped.load() > kDevices / 3);  // without losses it shows nothing
        std::set<std::string> bodies;
        for (const ra::Arrival& arrival : fixture.exchange.arrivals())
            bodies.insert(std::string{ra::as_text(arrival.der)});
        CHECK(bodies.size() == kDevices);
        CHECK(fixture.exchange.arrivals().size() == kDevices);
    }

    TEST_CASE("CoapServer: a port that somebody has is refused") {
        CoapFixture fixture;
        const auto bind_again = [&](coap::Protocol protocol, std::uint16_t port) {
            coap::CoapServerSettings settings = over(protocol);
            settings.port = port;
            coap::CoapServer second{fixture.workers[0],
                                    settings,
                                    {{fixture.workers[0], fixture.exchange}},
                                    fixture.counters};
        };
        CHECK_THROWS_WITH_AS(bind_again(coap::Protocol::udp, fixture.server->port()),
                             doctest::Contains("Address already in use"), std::runtime_error);
        CHECK_THROWS_AS(bind_again(coap::Protocol::dtls, fixture.server->port()),
                        std::runtime_error);
        CHECK(fixture.post(kClient, text_of(900)) == text_of(900));
        CoapFixture tcp{echo, over(coap::Protocol::tcp)};
        CHECK_THROWS_WITH_AS(bind_again(coap::Protocol::tcp, tcp.server->port()),
                             doctest::Contains("Address already in use"), std::runtime_error);
    }

    TEST_CASE("CoapServer: idle, it is not woken") {
        CoapFixture fixture;
        CHECK(fixture.post(kClient, text_of(900)) == text_of(900));
        CHECK(eventually([&] { return fixture.server != nullptr; }));
        std::this_thread::sleep_for(500ms);
        const auto switches = [&] {
            rusage usage{};
            long count = 0;
            fixture.at_home([&] {
                getrusage(RUSAGE_THREAD, &usage);
                count = usage.ru_nvcsw;
            });
            return count;
        };
        // Each asking may cost one, and the wait for its answer's lock another; a timer would be
        // more.
        const long before = switches();
        std::this_thread::sleep_for(2s);
        CHECK(switches() - before <= 3);
    }

    TEST_CASE("CoapServer: truncated, garbled and many datagrams") {
        coap::CoapServerSettings settings;
        settings.max_sessions = 50;
        CoapFixture fixture{echo, settings};
        const std::string good = con_post(7, "tok", text_of(700));
        Datagrams client{fixture.server->port(), 50ms};
        for (std::size_t size = 0; size < good.size(); size += size < 60 ? 1 : 50)
            client.send(good.substr(0, size));
        Losses random;
        for (int i = 0; i < 2000; ++i) {
            std::string garbled = good;
            for (int bits = 0; bits < 3; ++bits) {
                char& octet =
                    garbled[(random.passes() ? 7U : 3U) * static_cast<unsigned>(i + bits) %
                            std::min<std::size_t>(garbled.size(), 40)];
                octet = static_cast<char>(static_cast<unsigned char>(octet) ^
                                          1U << static_cast<unsigned>(i % 8));
            }
            client.send(garbled);
        }
        // A flood from many addresses.
        for (int i = 0; i < 300; ++i) Datagrams{fixture.server->port()}.send(good);
        CHECK(fixture.post(kClient, text_of(2800)) == text_of(2800));
        CHECK(fixture.faults == 0);
        CHECK(eventually([&] {
            return fixture.counters.requests.get() ==
                   static_cast<std::uint64_t>(fixture.exchange.finished.load());
        }));
    }

    TEST_CASE("CoapServer: who goes away drops its answer, not its exchange") {
        {
            CoapFixture fixture{echo, {}, 300ms};
            Datagrams{fixture.server->port()}.send(con_post(1, "t", text_of(700)));
            CHECK(eventually([&] { return fixture.exchange.finished == 1; }));
            CHECK(fixture.post(kClient, text_of(700)) == text_of(700));
        }
        CoapFixture fixture{echo, over(coap::Protocol::tcp), 300ms};
        {
            RawSocket half = RawSocket::connect(fixture.server->port());
            half.write(std::string("\x00\xe1", 2));  // CSM
            half.write("\xff\x02\x00");              // and half a message
        }
        output_of("timeout 0.2 " + std::string{kClient} + " -m post -t 259 -f " +
                  fixture.folder.write("r", text_of(700)) + " " + fixture.url());
        CHECK(eventually([&] { return fixture.exchange.finished == 1; }));
        CHECK(fixture.post(kClient, text_of(700)) == text_of(700));
        CHECK(fixture.faults == 0);
    }

    TEST_CASE("CoapServer: it may go while exchanges run") {
        CoapFixture fixture{echo, {}, 400ms};
        Datagrams{fixture.server->port()}.send(con_post(1, "t", text_of(700)));
        CHECK(eventually([&] { return fixture.exchange.arrivals().size() == 1; }));
        fixture.at_home([&] { fixture.server.reset(); });
        CHECK(eventually([&] { return fixture.exchange.finished == 1; }));
    }

    TEST_CASE("CoapServer: an observer gets announcements") {
        CoapFixture fixture;
        auto said = std::async(std::launch::async, [&] {
            return output_of(std::string{kClient} + " -m get -s 4 -v 6 " +
                             fixture.url("/.well-known/cmp/ann"));
        });
        bool observed = false;
        CHECK(eventually([&] {
            fixture.server->publish({});
            std::this_thread::sleep_for(50ms);
            observed = fixture.counters.notifications.get() != 0;
            return observed;
        }));
        const std::string announcement = "ANNOUNCEMENT" + text_of(2500) + "END";
        fixture.server->publish(ra::to_bytes(ra::as_bytes(announcement)));
        const std::string output = said.get();
        CHECK(output.find("ANNOUNCEMENT") != std::string::npos);
        CHECK(output.find("END") != std::string::npos);
        // It deregisters when it ends.
        CHECK(eventually([&] {
            std::size_t observers = 1;
            fixture.at_home([&] { observers = fixture.server->observers(); });
            return observers == 0;
        }));
    }
}
