#include <doctest/doctest.h>

#include "tests/support/tls_pki.h"
#include "tests/transports/coap/fixture.h"

using namespace coap_test;

namespace {

const std::string kKey = "0123456789abcdef";

coap::PskTablePtr table() {
    auto made = std::make_shared<coap::PskTable>();
    CHECK(made->add(ra::as_bytes("press-17"), ra::Secret{ra::to_bytes(ra::as_bytes(kKey))}));
    CHECK_FALSE(made->add(ra::as_bytes("short"), ra::Secret{ra::to_bytes(ra::as_bytes("secret"))}));
    return made;
}

/// A server with certificates of one authority, and files for clients.
struct Certificates {
    common::TlsContextPtr context(std::vector<ra::Bytes> crls = {}) const {
        common::TlsServerSettings settings;
        settings.identities.push_back(authority.issue({}));
        settings.clients = common::TlsServerSettings::Clients::required;
        settings.client_trust.anchors = {authority.root()};
        settings.client_trust.crls = std::move(crls);
        return common::TlsContext::server(settings, nullptr);
    }
    /// Options of coap-client that show `identity` and trust `root`.
    static std::string options(const Folder& folder, const common::TlsIdentity& identity,
                               const test::TlsAuthority& of) {
        static int number = 0;
        const std::string name = std::to_string(++number);
        const auto write = [&](const std::string& what, ra::ByteView octets) {
            return folder.write(name + what, std::string{ra::as_text(octets)});
        };
        return "-c " + write("c.pem", identity.certificate) + " -j " +
               write("k.pem", identity.key.reveal()) + " -C " + write("a.pem", of.root());
    }
    test::TlsAuthority authority{"Devices"};
};

coap::CoapServerSettings secured(coap::Protocol protocol, common::TlsContextPtr tls,
                                 coap::PskTablePtr psks = nullptr) {
    coap::CoapServerSettings settings;
    settings.protocol = protocol;
    settings.tls = std::move(tls);
    settings.psks = std::move(psks);
    return settings;
}

constexpr const char* kClients[] = {"coap-client-openssl", "coap-client-gnutls"};

}  // namespace

TEST_SUITE("transports/coap") {
    TEST_CASE("CoapServer: DTLS and TLS with client certificates, which are facts") {
        const Certificates pki;
        test::TlsCertificate device;
        device.common_name = "press 17";
        const common::TlsIdentity known = pki.authority.issue(device);
        for (const auto protocol : {coap::Protocol::dtls, coap::Protocol::tls}) {
            CoapFixture fixture{echo, secured(protocol, pki.context())};
            for (const char* client : kClients) {
                CAPTURE(client);
                CAPTURE(static_cast<int>(protocol));
                const std::string options =
                    Certificates::options(fixture.folder, known, pki.authority);
                CHECK((fixture.post(client, text_of(2800), options) == text_of(2800)));
                const auto arrivals = fixture.exchange.arrivals();
                REQUIRE_FALSE(arrivals.empty());
                REQUIRE(arrivals.back().peer.tls != nullptr);
                const ra::TlsFacts& facts = *arrivals.back().peer.tls;
                CHECK(facts.version.find("TLSv1.") != std::string::npos);
                CHECK_FALSE(facts.client_certificate.empty());
                CHECK(ra::as_text(facts.client_subject).find("press 17") != std::string::npos);
                CHECK(facts.trust != 0);
                CHECK_FALSE(facts.resumed);
            }
            CHECK(fixture.counters.handshakes.get() >= 2);
            CHECK(fixture.faults == 0);
        }
    }

    TEST_CASE("CoapServer: no certificate, a stranger's, an expired, a revoked one: no exchange") {
        const Certificates pki;
        const test::TlsAuthority strangers{"Strangers"};
        test::TlsCertificate old;
        old.from = std::chrono::hours{-48};
        old.until = std::chrono::hours{-24};
        const common::TlsIdentity revoked = pki.authority.issue({});
        const common::TlsIdentity good = pki.authority.issue({});
        CoapFixture fixture{
            echo, secured(coap::Protocol::dtls, pki.context({pki.authority.crl({&revoked})}))};
        const Folder& folder = fixture.folder;
        struct Row {
            const char* name;
            std::string options;
            bool served;
        };
        const Row rows[] = {
            {"none", "", false},
            {"a stranger's", Certificates::options(folder, strangers.issue({}), strangers), false},
            {"expired", Certificates::options(folder, pki.authority.issue(old), pki.authority),
             false},
            {"revoked", Certificates::options(folder, revoked, pki.authority), false},
            {"a pre-shared key", "-u press-17 -k " + kKey, false},
            {"good", Certificates::options(folder, good, pki.authority), true},
        };
        for (const Row& row : rows) {
            CAPTURE(row.name);
            const std::size_t before = fixture.exchange.arrivals().size();
            const std::string got = fixture.post(kClients[0], text_of(700), "-B 3 " + row.options);
            CHECK(got.empty() == !row.served);
            CHECK((fixture.exchange.arrivals().size() != before) == row.served);
        }
        CHECK(fixture.faults == 0);
    }

    TEST_CASE("CoapServer: pre-shared keys, alone and beside certificates") {
        const Certificates pki;
        for (const bool both : {false, true}) {
            CoapFixture fixture{
                echo, secured(coap::Protocol::dtls, both ? pki.context() : nullptr, table())};
            for (const char* client : kClients) {
                CAPTURE(client);
                CAPTURE(both);
                CHECK((fixture.post(client, text_of(2800), "-u press-17 -k " + kKey) ==
                       text_of(2800)));
            }
            CHECK(fixture.exchange.arrivals().back().peer.tls->client_subject.empty());
            const std::size_t served = fixture.exchange.arrivals().size();
            for (const char* options :
                 {"-B 3 -u press-17 -k 0123456789abcdeX", "-B 3 -u press-18 -k 0123456789abcdef",
                  "-B 3 -u short -k secret"}) {
                CAPTURE(options);
                CHECK(fixture.post(kClients[0], text_of(700), options).empty());
            }
            CHECK(fixture.exchange.arrivals().size() == served);
            if (both) {
                const std::string options =
                    Certificates::options(fixture.folder, pki.authority.issue({}), pki.authority);
                CHECK((fixture.post(kClients[0], text_of(2800), options) == text_of(2800)));
            }
            // Another table: who is not in it is nobody any more.
            fixture.at_home([&] { fixture.server->set_psks(std::make_shared<coap::PskTable>()); });
            CHECK(fixture.post(kClients[0], text_of(700), "-B 3 -u press-17 -k " + kKey).empty());
        }
    }

    TEST_CASE("CoapServer: a key that is no more resumes nothing, and suites are ours") {
        const Certificates pki;
        struct Row {
            coap::Protocol protocol;
            const char* options;
            const char* suite;
        };
        const Row rows[] = {
            {coap::Protocol::dtls, "-dtls1_2 -cipher PSK+AESGCM", "Cipher is PSK-"},
            {coap::Protocol::tls, "-tls1_2 -cipher PSK+AESGCM", "Cipher is PSK-"},
            {coap::Protocol::tls, "-tls1_3", "Cipher is TLS_"},
            {coap::Protocol::dtls, "-dtls1_2 -cipher PSK-AES128-CBC-SHA256", "Cipher is (NONE)"},
            {coap::Protocol::tls, "-tls1_2 -cipher PSK-AES128-CBC-SHA256", "Cipher is (NONE)"},
        };
        for (const bool both : {false, true}) {
            for (const Row& row : rows) {
                CAPTURE(row.options);
                CAPTURE(both);
                const CoapFixture fixture{
                    echo, secured(row.protocol, both ? pki.context() : nullptr, table())};
                std::string command = "sh -c '(sleep 0.5; echo) | timeout 10 openssl s_client ";
                command.append(
                    "-msg -psk_identity press-17 -psk 30313233343536373839616263646566 ");
                command.append(row.options).append(" -connect 127.0.0.1:");
                command.append(std::to_string(fixture.server->port())).append("'");
                const std::string said = output_of(command);
                CHECK_MESSAGE(said.find(row.suite) != std::string::npos, said);
                CHECK(said.find("NewSessionTicket") == std::string::npos);
                CHECK_MESSAGE(said.find("session ticket") == std::string::npos, said);
            }
        }
    }

    TEST_CASE("CoapServer: handshakes that are never finished are bounded and hold nobody up") {
        CoapFixture fixture{echo, secured(coap::Protocol::dtls, nullptr, table())};
        // What is no ClientHello, and ClientHellos without cookie: answered small, kept by nobody.
        const std::string hello =
            std::string("\x16\xfe\xff\0\0\0\0\0\0\0\0\0\x10\x01\0\0\4\0\0\0\0", 21);
        for (int i = 0; i < 400; ++i) {
            const Datagrams one{fixture.server->port()};
            one.send(i % 2 == 0 ? hello : text_of(100));
        }
        CHECK((fixture.post(kClients[0], text_of(700), "-u press-17 -k " + kKey) == text_of(700)));
        CHECK(fixture.faults == 0);
    }
}
