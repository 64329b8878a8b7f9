#include "transports/common/tls_stream.h"

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/use_future.hpp>
#include <future>

#include "tests/support/tls_pki.h"
#include "transports/common/connector.h"
#include "transports/common/listener.h"
#include "transports/common/workers.h"

using namespace transports::common;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using test::TlsAuthority;

TEST_SUITE_BEGIN("transports/common");

namespace {

/// Sends back what comes, and remembers what it knew of the last peer.
struct Echo final : ConnectionHandler {
    explicit Echo(Worker& on) : worker{on} {}
    asio::awaitable<void> serve(ByteStream& stream) override {
        facts = stream.peer().tls;
        protocol = stream.protocol();
        for (;;) {
            stream.expires_after(5s);
            const Ready ready = co_await stream.wait_read();
            if (ready != Ready::ready) break;
            error_code error;
            const auto scratch = worker.scratch();
            const std::size_t got = stream.try_read(scratch, error);
            if (error == asio::error::would_block) continue;
            if (error) break;
            ended_well = false;
            const ra::Bytes copy{scratch.begin(), scratch.begin() + static_cast<long>(got)};
            // In two parts, as a header and its content go out.
            const ra::ByteView all{copy};
            error = co_await stream.write(all.first(got / 3), all.subspan(got / 3));
            if (error) break;
        }
        stream.close();
    }
    Worker& worker;
    std::shared_ptr<const ra::TlsFacts> facts;
    std::string protocol;
    bool ended_well = true;
};

/// A TLS server of one worker.
struct Server {
    explicit Server(TlsContextPtr context, std::chrono::milliseconds opening = 3s) {
        ListenerSettings settings;
        settings.tls = std::move(context);
        settings.opening_time = opening;
        settings.tls_fault = [this](const ra::PeerFacts&, const TlsFault& fault) {
            last_fault = fault.detail;
        };
        listener.emplace(settings, std::vector<Listener::Seat>{{workers[0], echo}});
        listener->start();
        workers.start();
    }
    ~Server() {
        workers.drain(ra::BootClock::now() + 2s);
        listener.reset();
        workers.stop();
    }
    const TlsCounters& tls() const { return listener->counters(0).tls; }
    /// Runs on the worker: what it wrote may be read afterwards.
    void settle() {
        std::promise<void> done;
        workers[0].post([&done] { done.set_value(); });
        done.get_future().wait();
    }
    Workers workers{1, {}};
    Echo echo{workers[0]};
    std::string last_fault;
    std::optional<Listener> listener;
};

struct Visit {
    std::optional<TlsFault> fault;
    std::string echoed;
    error_code error;
    bool resumed = false;
    std::string protocol;
    std::string version;
};

/// One connection of a client.
struct Client {
    explicit Client(TlsContextPtr tls, std::vector<std::string> alpn = {})
        : context{std::move(tls)}, protocols{std::move(alpn)} {
        workers.start();
    }
    ~Client() {
        workers.drain(ra::BootClock::now() + 2s);
        workers.stop();
    }

    Visit visit(std::uint16_t port, const std::string& host, std::size_t octets = 1000) {
        return asio::co_spawn(workers[0].context(), run(port, host, octets), asio::use_future)
            .get();
    }

    asio::awaitable<Visit> run(std::uint16_t port, std::string host, std::size_t octets) {
        Visit visit;
        const asio::ip::tcp::endpoint peer{asio::ip::address_v4::loopback(), port};
        auto plain = co_await connect_to(workers[0], peer, ra::BootClock::now() + 3s);
        if (plain == nullptr) co_return visit;
        TlsStream stream{std::move(plain), context, host, protocols, sessions};
        visit.fault = co_await stream.handshake(ra::BootClock::now() + 3s);
        if (visit.fault) co_return visit;
        visit.resumed = stream.resumed();
        visit.protocol = stream.protocol();
        visit.version = stream.peer().tls->version;
        const std::string sent(octets, 'x');
        stream.expires_after(5s);
        visit.error = co_await stream.write(ra::as_bytes(sent));
        while (!visit.error && visit.echoed.size() < octets) {
            const Ready ready = co_await stream.wait_read();
            if (ready != Ready::ready) break;
            const auto scratch = workers[0].scratch();
            error_code error;
            const std::size_t got = stream.try_read(scratch, error);
            visit.echoed += ra::as_text(ra::ByteView{scratch.data(), got});
            if (error && error != asio::error::would_block) visit.error = error;
        }
        if (!visit.error) CHECK(stream.quiet());
        stream.close();
        co_return visit;
    }

    TlsContextPtr context;
    std::vector<std::string> protocols;
    std::shared_ptr<TlsSessions> sessions = std::make_shared<TlsSessions>();
    Workers workers{1, {}};
};

TlsServerSettings server_settings(const TlsAuthority& authority,
                                  const test::TlsCertificate& what = {}) {
    TlsServerSettings settings;
    settings.identities.push_back(authority.issue(what));
    settings.session_scope = "test";
    return settings;
}

TlsContextPtr client_of(const TlsAuthority& authority,
                        std::optional<TlsIdentity> identity = std::nullopt) {
    TlsClientSettings settings;
    settings.trust.anchors.push_back(authority.root());
    settings.identity = std::move(identity);
    return TlsContext::client(settings);
}

std::shared_ptr<TlsTicketKeys> keys() { return std::make_shared<TlsTicketKeys>(); }

}  // namespace

TEST_CASE("TlsStream: octets both ways, small and large, and a session resumed") {
    const TlsAuthority authority{"Root"};
    Server server{TlsContext::server(server_settings(authority), keys())};
    Client client{client_of(authority)};
    const Visit first = client.visit(server.listener->port(), "localhost");
    REQUIRE_MESSAGE(!first.fault, first.fault->detail);
    CHECK(first.version == "TLSv1.3");
    CHECK(first.echoed == std::string(1000, 'x'));
    CHECK_FALSE(first.resumed);
    const Visit large = client.visit(server.listener->port(), "localhost", 1'000'000);
    CHECK_FALSE(large.error);
    CHECK(large.echoed.size() == 1'000'000);
    CHECK(large.resumed);
    server.settle();
    CHECK(server.tls().full.get() == 1);
    CHECK(server.tls().resumed.get() == 1);
    CHECK(server.tls().microseconds.get() > 0);
}

TEST_CASE("TlsStream: a client says which check failed") {
    const TlsAuthority authority{"Root"};
    const TlsAuthority other{"Other"};
    struct Row {
        const char* name;
        const TlsAuthority* issuer;
        test::TlsCertificate what;
        const char* host;
        const char* detail;  // empty: fine
    };
    const Row rows[] = {
        {"fine", &authority, {}, "localhost", ""},
        {"case does not matter", &authority, {}, "LOCALHOST", ""},
        {"wildcard is a label", &authority, {"x", {"*.ra.example"}}, "a.ra.example", ""},
        {"address", &authority, {"x", {}, {"127.0.0.1"}}, "127.0.0.1", ""},
        {"another name", &authority, {}, "ca.example", "it is not for ca.example"},
        {"wildcard is one label",
         &authority,
         {"x", {"*.ra.example"}},
         "a.b.ra.example",
         "it is not for a.b.ra.example"},
        {"CN is no host name",
         &authority,
         {"ca.example", {}},
         "ca.example",
         "it is not for ca.example"},
        {"name, no address", &authority, {}, "127.0.0.1", "it is not for 127.0.0.1"},
        {"expired",
         &authority,
         {"x", {"localhost"}, {}, std::chrono::hours{-48}, std::chrono::hours{-24}},
         "localhost",
         "it, or one above it, has expired"},
        {"not yet",
         &authority,
         {"x", {"localhost"}, {}, std::chrono::hours{24}, std::chrono::hours{48}},
         "localhost",
         "certificate is not yet valid"},
        {"unknown CA", &other, {}, "localhost", "its CA is unknown"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Server server{TlsContext::server(server_settings(*row.issuer, row.what), keys())};
        Client client{client_of(authority)};
        const Visit visit = client.visit(server.listener->port(), row.host);
        if (std::string_view{row.detail}.empty()) {
            REQUIRE_MESSAGE(!visit.fault, visit.fault->detail);
            CHECK(visit.echoed.size() == 1000);
            continue;
        }
        REQUIRE(visit.fault);
        CHECK(visit.fault->kind == TlsFault::Kind::certificate);
        CHECK(visit.fault->detail == "the peer's certificate: " + std::string{row.detail});
    }
}

TEST_CASE("TlsStream: client certificates: required, optional, revoked, of another CA") {
    using Clients = TlsServerSettings::Clients;
    const TlsAuthority authority{"Root"};
    const TlsAuthority devices{"Devices"};
    const TlsAuthority strangers{"Strangers"};
    test::TlsCertificate device;
    device.common_name = "device-7";
    const auto make = [&](Clients clients, std::vector<ra::Bytes> crls,
                          std::optional<std::chrono::seconds> grace = std::nullopt) {
        TlsServerSettings settings = server_settings(authority);
        settings.clients = clients;
        settings.client_trust.anchors.push_back(devices.root());
        settings.client_trust.crls = std::move(crls);
        settings.client_trust.crl_grace = grace;
        return TlsContext::server(settings, keys());
    };
    const auto works = [&](const TlsContextPtr& context, std::optional<TlsIdentity> identity,
                           std::string* why = nullptr) {
        Server server{context};
        Client client{client_of(authority, std::move(identity))};
        // In TLS 1.3 a client learns that it was refused when it reads.
        const Visit visit = client.visit(server.listener->port(), "localhost");
        server.settle();
        if (why != nullptr) *why = server.last_fault;
        const bool served = !visit.fault && visit.echoed.size() == 1000;
        if (served) {
            REQUIRE(server.echo.facts != nullptr);
            CHECK(server.echo.facts->client_subject.empty() ==
                  server.echo.facts->client_certificate.empty());
        }
        return served;
    };
    CHECK(works(make(Clients::required, {}), devices.issue(device)));
    std::string why;
    CHECK_FALSE(works(make(Clients::required, {}), std::nullopt, &why));
    CHECK(why == "peer did not return a certificate");
    CHECK_FALSE(works(make(Clients::required, {}), strangers.issue(device), &why));
    CHECK(why == "the peer's certificate: its CA is unknown");
    CHECK(works(make(Clients::optional, {}), std::nullopt));
    CHECK(works(make(Clients::optional, {}), devices.issue(device)));
    // Optional is about having one: a wrong one is refused.
    CHECK_FALSE(works(make(Clients::optional, {}), strangers.issue(device)));

    TlsIdentity revoked = devices.issue(device);
    const ra::Bytes crl = devices.crl({&revoked});
    const ra::Bytes stale = devices.crl({}, -2h);
    CHECK(works(make(Clients::required, {crl}), devices.issue(device)));
    CHECK_FALSE(works(make(Clients::required, {crl}), std::move(revoked), &why));
    CHECK(why == "the peer's certificate: certificate revoked");
    CHECK_FALSE(works(make(Clients::required, {stale}), devices.issue(device), &why));
    CHECK(why == "the peer's certificate: CRL has expired");
    CHECK(works(make(Clients::required, {stale}, 3h), devices.issue(device)));
    CHECK_FALSE(works(make(Clients::required, {stale}, 1h), devices.issue(device)));
}

TEST_CASE("TlsContext: sessions outlive a reload, but not another trust") {
    using Clients = TlsServerSettings::Clients;
    const TlsAuthority authority{"Root"};
    const TlsAuthority devices{"Devices"};
    const auto tickets = keys();
    const auto make = [&](std::vector<ra::Bytes> crls) {
        TlsServerSettings settings = server_settings(authority);
        settings.clients = Clients::required;
        settings.client_trust.anchors.push_back(devices.root());
        settings.client_trust.crls = std::move(crls);
        return TlsContext::server(settings, tickets);
    };
    TlsIdentity device = devices.issue({});
    const ra::Bytes before = devices.crl({});
    const ra::Bytes after = devices.crl({&device});
    Server server{make({before})};
    Client client{client_of(authority, std::move(device))};
    const auto port = server.listener->port();
    CHECK_FALSE(client.visit(port, "localhost").resumed);
    CHECK(client.visit(port, "localhost").resumed);
    server.listener->set_tls(make({before}));  // another key and certificate, the same trust
    server.settle();
    const Visit reloaded = client.visit(port, "localhost");
    CHECK(reloaded.resumed);
    CHECK(reloaded.echoed.size() == 1000);
    CHECK(server.echo.facts->resumed);
    CHECK_FALSE(server.echo.facts->client_subject.empty());
    server.listener->set_tls(make({after}));  // revoked meanwhile
    server.settle();
    const Visit refused = client.visit(port, "localhost");
    CHECK(refused.echoed.empty());
    server.settle();
    CHECK(server.last_fault == "the peer's certificate: certificate revoked");
}

TEST_CASE("TlsContext: the certificate is chosen by host name; ALPN by our order") {
    const TlsAuthority authority{"Root"};
    TlsServerSettings settings = server_settings(authority, {"a", {"a.example"}});
    settings.identities.push_back(authority.issue({"b", {"b.example", "*.c.example"}}));
    settings.protocols = {"h2", "http/1.1"};
    Server server{TlsContext::server(settings, keys())};
    const auto port = server.listener->port();
    for (const char* host : {"a.example", "b.example", "x.c.example"}) {
        CAPTURE(host);
        Client client{client_of(authority), {"http/1.1", "h2"}};
        const Visit visit = client.visit(port, host);
        REQUIRE_MESSAGE(!visit.fault, visit.fault->detail);
        CHECK(visit.protocol == "h2");
        server.settle();
        CHECK(server.echo.facts->server_name == host);
    }
    Client none{client_of(authority)};
    CHECK(none.visit(port, "a.example").protocol.empty());
    Client unknown{client_of(authority), {"spdy/3"}};
    CHECK(unknown.visit(port, "a.example").protocol.empty());
    Client first{client_of(authority)};
    const Visit fallback = first.visit(port, "nobody.example");
    REQUIRE(fallback.fault);
    CHECK(fallback.fault->detail == "the peer's certificate: it is not for nobody.example");
}

TEST_CASE("TlsStream: silence, junk and a flood before the handshake end it") {
    const TlsAuthority authority{"Root"};
    Server server{TlsContext::server(server_settings(authority), keys()), 200ms};
    const auto attempt = [&](const std::string& octets) {
        const int made = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const timeval limit{5, 0};
        setsockopt(made, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(server.listener->port());
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        REQUIRE(connect(made, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
        if (!octets.empty()) (void)send(made, octets.data(), octets.size(), MSG_NOSIGNAL);
        char buffer[256];
        while (recv(made, buffer, sizeof buffer, 0) > 0) {
        }
        ::close(made);
        server.settle();
        return server.last_fault;
    };
    CHECK(attempt("") == "no handshake in time");
    CHECK(attempt("POST / HTTP/1.1\r\n\r\n") == "http request");
    // Records of a handshake message that says it is longer than we take.
    std::string flood;
    for (int i = 0; i < 5; ++i) {
        flood += std::string{"\x16\x03\x01\x40\x00", 5};
        flood += i == 0 ? std::string{"\x01\xff\xff\xff", 4} + std::string(0x3ffc, 'x')
                        : std::string(0x4000, 'x');
    }
    CHECK_FALSE(attempt(flood).empty());
    const auto& failed = server.tls().failed;
    CHECK(failed[static_cast<std::size_t>(TlsFault::Kind::timed_out)].get() == 1);
    CHECK(failed[static_cast<std::size_t>(TlsFault::Kind::protocol)].get() == 2);
}

TEST_CASE("TlsContext: what cannot be used is named") {
    const TlsAuthority authority{"Root"};
    const auto fault_of = [](const std::function<void()>& make) -> std::string {
        try {
            make();
        } catch (const std::runtime_error& fault) {
            return fault.what();
        }
        return "";
    };
    TlsServerSettings mixed = server_settings(authority, {"front"});
    mixed.identities[0].key = std::move(authority.issue({}).key);
    CHECK(fault_of([&] { (void)TlsContext::server(mixed, keys()); }) ==
          "front: certificate and key do not belong together");
    TlsServerSettings junk = server_settings(authority, {"front"});
    junk.identities[0].certificate = ra::to_bytes(ra::as_bytes("junk"));
    CHECK(fault_of([&] { (void)TlsContext::server(junk, keys()); }) ==
          "front holds no certificate in PEM or DER");
    TlsServerSettings trustless = server_settings(authority);
    trustless.clients = TlsServerSettings::Clients::optional;
    CHECK(fault_of([&] { (void)TlsContext::server(trustless, keys()); }) ==
          "client certificates are asked for, and no client_ca is trusted");
    CHECK(fault_of([&] { (void)TlsContext::client({}); }) ==
          "TLS to a CA without trust: that would accept everybody");
    TlsServerSettings stapled = server_settings(authority, {"front"});
    stapled.identities[0].ocsp_response = ra::to_bytes(ra::as_bytes("junk"));
    CHECK(TlsContext::server(stapled, keys())->warnings() ==
          std::vector<std::string>{
              "the OCSP response for front is no OCSP response; it is not stapled"});
}

TEST_CASE("TlsTicketKeys: made anew, the last one opens a while longer") {
    const ra::BootTime start{1000h};
    TlsTicketKeys tickets{start};
    const auto first = tickets.sealing(start);
    CHECK(tickets.opening(first.name, start + 1h)->renew == false);
    const auto second = tickets.sealing(start + TlsTicketKeys::kLifetime);
    CHECK(second.name != first.name);
    CHECK(second.cipher != first.cipher);
    const auto old = tickets.opening(first.name, start + TlsTicketKeys::kLifetime + 1h);
    REQUIRE(old.has_value());
    CHECK(old->renew);
    CHECK(old->key.cipher == first.cipher);
    CHECK_FALSE(tickets.opening(first.name, start + 2 * TlsTicketKeys::kLifetime).has_value());
    CHECK_FALSE(tickets.opening(std::array<std::uint8_t, 16>{}, start).has_value());
}

TEST_SUITE_END();
