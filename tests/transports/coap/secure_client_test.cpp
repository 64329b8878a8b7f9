#include <doctest/doctest.h>
#include <signal.h>

#include "tests/support/tls_pki.h"
#include "tests/transports/coap/client_fixture.h"

using namespace coap_test;
using coap::Protocol;

namespace {

test::TlsCertificate for_names(std::vector<std::string> dns, std::vector<std::string> ip = {}) {
    test::TlsCertificate made;
    made.dns = std::move(dns);
    made.ip = std::move(ip);
    return made;
}

common::TlsIdentity copy_of(const common::TlsIdentity& identity) {
    common::TlsIdentity made;
    made.certificate = identity.certificate;
    made.key = ra::Secret{ra::to_bytes(identity.key.reveal())};
    return made;
}

common::TlsContextPtr server_context(const common::TlsIdentity& identity,
                                     const test::TlsAuthority* clients = nullptr) {
    common::TlsServerSettings settings;
    settings.identities.push_back(copy_of(identity));
    if (clients != nullptr) {
        settings.clients = common::TlsServerSettings::Clients::required;
        settings.client_trust.anchors = {clients->root()};
    }
    return common::TlsContext::server(settings, nullptr);
}

/// What a client trusts and shows.
struct Trusting {
    const test::TlsAuthority& authority;
    std::vector<ra::Bytes> crls;
    const common::TlsIdentity* identity = nullptr;
    std::string name;
};

coap::CoapClientSettings client_settings(const Trusting& with) {
    common::TlsClientSettings tls;
    tls.trust.anchors = {with.authority.root()};
    tls.trust.crls = with.crls;
    if (with.identity != nullptr) tls.identity = copy_of(*with.identity);
    coap::CoapClientSettings settings;
    settings.tls = common::TlsContext::client(tls);
    settings.tls_name = with.name;
    settings.connect_time = 5s;
    return settings;
}

coap::CoapServerSettings server_settings(Protocol protocol, common::TlsContextPtr tls) {
    coap::CoapServerSettings settings;
    settings.protocol = protocol;
    settings.tls = std::move(tls);
    return settings;
}

constexpr Protocol kSecure[] = {Protocol::dtls, Protocol::tls};

}  // namespace

TEST_SUITE("transports/coap") {
    TEST_CASE("CoapCourier: DTLS and TLS, both sides with certificates, one session for all") {
        const test::TlsAuthority servers{"Servers"};
        const test::TlsAuthority clients{"Clients"};
        test::TlsCertificate ra_certificate;
        ra_certificate.common_name = "the RA";
        const common::TlsIdentity shown = clients.issue(ra_certificate);
        for (const Protocol protocol : kSecure) {
            CAPTURE(static_cast<int>(protocol));
            CoapFixture server{
                echo, server_settings(
                          protocol,
                          server_context(servers.issue(for_names({}, {"127.0.0.1"})), &clients))};
            ClientFixture client{server.server->port(), protocol,
                                 client_settings({servers, {}, &shown, ""})};
            for (const std::size_t size : {50U, 700U, 2800U, 262'144U}) {
                CAPTURE(size);
                CHECK((content_of(client.send(text_of(size))) == text_of(size)));
            }
            const auto arrivals = server.exchange.arrivals();
            REQUIRE(arrivals.size() == 4);
            REQUIRE(arrivals.back().peer.tls != nullptr);
            CHECK(ra::as_text(arrivals.back().peer.tls->client_subject).find("the RA") !=
                  std::string::npos);
            CHECK(client.counters.connects.get() == 1);
            CHECK(client.counters.tls.full.get() == 1);
            CHECK(client.probe(3s));
            CHECK(client.faults == 0);
        }
    }

    TEST_CASE("S-10: CoapCourier sends nothing to a server who is not the one") {
        const test::TlsAuthority servers{"Servers"};
        const test::TlsAuthority strangers{"Strangers"};
        test::TlsCertificate old = for_names({"ca.example"}, {"127.0.0.1"});
        old.from = std::chrono::hours{-48};
        old.until = std::chrono::hours{-24};
        const common::TlsIdentity good = servers.issue(for_names({"ca.example"}, {"127.0.0.1"}));
        const common::TlsIdentity revoked = servers.issue(for_names({"ca.example"}));
        const common::TlsIdentity named_by_cn = servers.issue(for_names({}, {"192.0.2.1"}));
        const common::TlsIdentity address_as_name =
            servers.issue(for_names({"127.0.0.1"}, {"127.0.0.2"}));
        const common::TlsIdentity a_strangers = strangers.issue(for_names({"ca.example"}));
        const common::TlsIdentity expired = servers.issue(old);
        const ra::Bytes crl = servers.crl({&revoked});
        struct Row {
            const char* name;
            const common::TlsIdentity& identity;
            std::string wanted;
            bool served;
        };
        const Row rows[] = {
            {"by its name", good, "ca.example", true},
            {"by its address", good, "", true},
            {"another name", good, "ra.example", false},
            {"the name is its CN only", named_by_cn, "localhost", false},
            {"another address", address_as_name, "", false},
            {"a stranger's", a_strangers, "ca.example", false},
            {"expired", expired, "ca.example", false},
            {"revoked", revoked, "ca.example", false},
        };
        for (const Protocol protocol : kSecure) {
            for (const Row& row : rows) {
                CAPTURE(row.name);
                CAPTURE(static_cast<int>(protocol));
                CoapFixture server{echo, server_settings(protocol, server_context(row.identity))};
                ClientFixture client{server.server->port(), protocol,
                                     client_settings({servers, {crl}, nullptr, row.wanted})};
                CHECK(ending(client.send(text_of(700))) ==
                      (row.served ? "delivered" : "not sent: tls"));
                CHECK(server.exchange.arrivals().size() == (row.served ? 1 : 0));
                std::uint64_t failed = 0;
                for (const auto& kind : client.counters.tls.failed) failed += kind.get();
                CHECK(failed == (row.served ? 0 : 1));
                CHECK(client.faults == 0);
            }
        }
    }

    TEST_CASE("CoapCourier: a server that demands a certificate gets none, or has no TLS at all") {
        const test::TlsAuthority servers{"Servers"};
        const common::TlsIdentity identity = servers.issue(for_names({}, {"127.0.0.1"}));
        for (const Protocol protocol : kSecure) {
            CAPTURE(static_cast<int>(protocol));
            CoapFixture demanding{echo,
                                  server_settings(protocol, server_context(identity, &servers))};
            ClientFixture bare{demanding.server->port(), protocol,
                               client_settings({servers, {}, nullptr, ""})};
            // TLS 1.3 tells a client only after its handshake.
            const std::string ended = ending(bare.send(text_of(700), 8s));
            CHECK_MESSAGE(ended.starts_with("not sent: "), ended);
            CHECK(demanding.exchange.arrivals().empty());

            CoapFixture plain{
                echo, server_settings(protocol == Protocol::tls ? Protocol::tcp : Protocol::udp,
                                      nullptr)};
            coap::CoapClientSettings hurried = client_settings({servers, {}, nullptr, ""});
            hurried.connect_time = 700ms;
            ClientFixture client{plain.server->port(), protocol, hurried};
            const std::string refused = ending(client.send(text_of(700), 8s));
            CHECK_MESSAGE(refused.starts_with("not sent: "), refused);
            CHECK(plain.exchange.arrivals().empty());
        }
    }

    TEST_CASE("CoapCourier: another trust counts from the next request on") {
        const test::TlsAuthority servers{"Servers"};
        const test::TlsAuthority others{"Others"};
        for (const Protocol protocol : kSecure) {
            CAPTURE(static_cast<int>(protocol));
            CoapFixture server{
                echo, server_settings(protocol,
                                      server_context(servers.issue(for_names({}, {"127.0.0.1"}))))};
            const auto settings = client_settings({servers, {}, nullptr, ""});
            ClientFixture client{server.server->port(), protocol, settings};
            CHECK(ending(client.send(text_of(700))) == "delivered");
            const auto use = [&](const common::TlsContextPtr& tls) {
                std::promise<void> done;
                client.workers[0].post([&] {
                    client.courier->set_tls(tls);
                    done.set_value();
                });
                done.get_future().get();
            };
            use(client_settings({others, {}, nullptr, ""}).tls);
            CHECK(ending(client.send(text_of(700))) == "not sent: tls");
            use(settings.tls);
            CHECK(ending(client.send(text_of(700))) == "delivered");
            CHECK(client.counters.connects.get() == 3);
        }
    }

    TEST_CASE("CoapCourier: a server that has lost its associations is talked to anew") {
        const test::TlsAuthority servers{"Servers"};
        const auto settings = server_settings(
            Protocol::dtls, server_context(servers.issue(for_names({}, {"127.0.0.1"}))));
        auto server = std::make_unique<CoapFixture>(echo, settings);
        // The port stays: it is the relay's.
        std::atomic<bool> deaf{false};
        Relay relay{server->server->port(), [&](bool, const std::string&) { return !deaf.load(); }};
        ClientFixture client{relay.port(), Protocol::dtls,
                             client_settings({servers, {}, nullptr, ""})};
        CHECK(ending(client.send(text_of(700))) == "delivered");
        deaf = true;
        CHECK(ending(client.send(text_of(700), 500ms)) == "unknown: deadline");
        deaf = false;
        CHECK(ending(client.send(text_of(700), 15s)) == "delivered");
        CHECK(client.counters.connects.get() == 2);
        CHECK(client.faults == 0);
    }

    TEST_CASE("CoapCourier: libcoap's own servers, with OpenSSL and with GnuTLS") {
        const test::TlsAuthority servers{"Servers"};
        const common::TlsIdentity identity = servers.issue(for_names({"localhost"}, {"127.0.0.1"}));
        for (const std::string program : {"coap-server-openssl", "coap-server-gnutls"}) {
            const Folder folder;
            const auto write = [&](const std::string& name, ra::ByteView octets) {
                return folder.write(name, std::string{ra::as_text(octets)});
            };
            const std::string files = " -c " + write("cert.pem", identity.certificate) + " -j " +
                                      write("key.pem", identity.key.reveal()) + " -C " +
                                      write("ca.pem", servers.root());
            std::uint16_t port = 0;
            std::string pid;
            // A port that was free a moment ago, and the next, which is for TLS: somebody may have
            // been faster.
            for (int tries = 0; tries < 5; ++tries) {
                {
                    const CoapFixture probe;
                    port = probe.server->port();
                }
                std::string start = "exec timeout 30 ";
                start.append(program).append(" -A 127.0.0.1 -n -p ").append(std::to_string(port));
                start.append(files).append(" > /dev/null 2>&1 & echo $!");
                pid = output_of(std::string{"sh -c '"}.append(start).append("'"));
                ClientFixture client{static_cast<std::uint16_t>(port + 1), Protocol::tls,
                                     client_settings({servers, {}, nullptr, "localhost"})};
                if (eventually([&] { return client.probe(500ms); })) break;
                ::kill(static_cast<pid_t>(std::stol(pid)), SIGTERM);
            }
            for (const Protocol protocol : kSecure) {
                CAPTURE(program);
                CAPTURE(static_cast<int>(protocol));
                ClientFixture client{static_cast<std::uint16_t>(port + 1), protocol,
                                     client_settings({servers, {}, nullptr, "localhost"})};
                CHECK(eventually([&] { return client.probe(500ms); }));
                CHECK(ending(client.send(text_of(700))) == "404");
                ClientFixture stranger{static_cast<std::uint16_t>(port + 1), protocol,
                                       client_settings({servers, {}, nullptr, "ca.example"})};
                CHECK(ending(stranger.send(text_of(700))) == "not sent: tls");
            }
            ::kill(static_cast<pid_t>(std::stol(pid)), SIGTERM);
        }
    }
}
