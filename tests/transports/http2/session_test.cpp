#include <doctest/doctest.h>

#include <functional>

#include "transports/http2/client_session.h"
#include "transports/http2/server_session.h"

using namespace transports::http2;
using namespace std::chrono_literals;

TEST_SUITE_BEGIN("transports/http2");

namespace {

const std::vector<std::string> kNoAliases;
const std::string kPaths = "the paths that exist\n";
constexpr ra::BootTime kNow{1000h};

/// A client and a server that hear each other.
struct Pair {
    explicit Pair(const ServerLimits& limits = {}, const ClientLimits& answers = {})
        : client{answers}, server{limits, kNoAliases, kPaths} {}

    /// Until neither has anything to say.
    void talk(ra::BootTime now = kNow) {
        for (bool quiet = false; !quiet;) {
            quiet = true;
            for (ra::ByteView out = client.output(); !out.empty(); out = client.output()) {
                (void)server.receive(out, now);
                quiet = false;
            }
            for (ra::ByteView out = server.output(); !out.empty(); out = server.output()) {
                (void)client.receive(out, now);
                quiet = false;
            }
        }
    }

    struct Asked {
        StreamId stream;
        std::shared_ptr<Call> call;
    };
    Asked ask(const std::string& body, const std::string& path = "/.well-known/cmp",
              const std::string& method = "POST", const std::string& type = "application/pkixcmp",
              const Fields& more = {}) {
        auto call = std::make_shared<Call>();
        call->content = ra::to_bytes(ra::as_bytes(body));
        Fields fields{{":method", method},
                      {":scheme", "http"},
                      {":authority", "a"},
                      {":path", path},
                      {"content-type", type}};
        fields.insert(fields.end(), more.begin(), more.end());
        const StreamId stream = client.call(fields, call);
        return {stream, call};
    }

    ClientSession client;
    ServerSession server;
};

transports::http1::HeadFacts answer_facts() {
    transports::http1::HeadFacts facts;
    facts.content_type = "application/pkixcmp";
    return facts;
}

ra::Bytes frame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream,
                const ra::Bytes& payload = {}) {
    ra::Bytes octets{static_cast<std::uint8_t>(payload.size() >> 16U),
                     static_cast<std::uint8_t>(payload.size() >> 8U),
                     static_cast<std::uint8_t>(payload.size()),
                     type,
                     flags,
                     static_cast<std::uint8_t>(stream >> 24U),
                     static_cast<std::uint8_t>(stream >> 16U),
                     static_cast<std::uint8_t>(stream >> 8U),
                     static_cast<std::uint8_t>(stream)};
    ra::append(octets, payload);
    return octets;
}

/// HEADERS of a request for the well-known path (RFC 7541, literals without indexing).
ra::Bytes headers(std::uint32_t stream, bool last) {
    ra::Bytes block{0x83, 0x86, 0x04, 16};  // POST, http, :path of 16 octets
    ra::append(block, ra::as_bytes("/.well-known/cmp"));
    ra::append(block, ra::Bytes{0x01, 1, 'a', 0x0f, 0x10, 19});
    ra::append(block, ra::as_bytes("application/pkixcmp"));
    return frame(0x01, static_cast<std::uint8_t>(last ? 0x05 : 0x04), stream, block);
}

ra::Bytes preface() {
    ra::Bytes octets = ra::to_bytes(ra::as_bytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
    ra::append(octets, frame(0x04, 0, 0));
    return octets;
}

std::string drain(ServerSession& server) {
    std::string all;
    for (ra::ByteView out = server.output(); !out.empty(); out = server.output())
        all += ra::as_text(out);
    return all;
}

}  // namespace

TEST_CASE("HTTP/2: many requests at a time, answered in any order") {
    Pair pair;
    std::vector<Pair::Asked> asked;
    for (int i = 0; i < 60; ++i) asked.push_back(pair.ask("request " + std::to_string(i)));
    pair.talk();
    auto requests = pair.server.take_requests();
    REQUIRE(requests.size() == 60);
    for (auto request = requests.rbegin(); request != requests.rend(); ++request) {
        CHECK(request->path.label.empty());
        CHECK(pair.server.respond(request->stream, answer_facts(), std::move(request->body)));
    }
    pair.talk();
    for (std::size_t i = 0; i < asked.size(); ++i) {
        CHECK(asked[i].call->end == Call::End::answered);
        CHECK(asked[i].call->status == 200);
        CHECK(asked[i].call->cmp);
        CHECK(ra::as_text(asked[i].call->body) == "request " + std::to_string(i));
    }
    CHECK(pair.server.streams() == 0);
    CHECK(pair.client.calls() == 0);
}

TEST_CASE("HTTP/2: content beyond every window, both ways") {
    Pair pair;
    const std::string big(256 * 1024, 'x');
    std::vector<Pair::Asked> asked;
    for (int i = 0; i < 6; ++i) asked.push_back(pair.ask(big));
    pair.talk();
    auto requests = pair.server.take_requests();
    REQUIRE(requests.size() == 6);
    for (auto& request : requests) {
        CHECK(request.body.size() == big.size());
        CHECK(pair.server.respond(request.stream, answer_facts(), std::move(request.body)));
    }
    pair.talk();
    for (const auto& one : asked) CHECK(one.call->body.size() == big.size());
}

TEST_CASE("HTTP/2: what is refused, by which status") {
    struct Row {
        const char* name;
        std::string path, method, type, body;
        Fields more;
        unsigned status;
    };
    const std::string cmp = "application/pkixcmp";
    const std::string long_value(9000, 'v');
    const Row rows[] = {
        {"GET", "/.well-known/cmp", "GET", cmp, "", {}, 405},
        {"no such path", "/elsewhere", "POST", cmp, "x", {}, 404},
        {"another media type", "/.well-known/cmp", "POST", "text/plain", "x", {}, 415},
        {"content longer than the limit",
         "/.well-known/cmp",
         "POST",
         cmp,
         std::string(1025, 'x'),
         {},
         413},
        {"header longer than the limit",
         "/.well-known/cmp",
         "POST",
         cmp,
         "x",
         {{"x-long", long_value}},
         431},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        ServerLimits limits;
        limits.max_body = 1024;
        Pair pair{limits};
        const auto asked = pair.ask(row.body, row.path, row.method, row.type, row.more);
        pair.talk();
        CHECK(pair.server.take_requests().empty());
        CHECK(pair.server.take_refusals() == std::vector<unsigned>{row.status});
        CHECK(asked.call->status == row.status);
        CHECK(asked.call->end == Call::End::answered);
        if (row.status == 404) CHECK(ra::as_text(asked.call->body) == kPaths);
        CHECK(pair.server.streams() == 0);
        // The connection goes on.
        const auto next = pair.ask("x");
        pair.talk();
        CHECK(pair.server.take_requests().size() == 1);
    }
}

TEST_CASE("HTTP/2: what comes after a refusal is taken, but not for ever") {
    ServerLimits limits;
    limits.max_body = 1024;
    ServerSession server{limits, kNoAliases, kPaths};
    ra::Bytes octets = preface();
    ra::append(octets, headers(1, false));
    REQUIRE(server.receive(octets, kNow));
    for (int i = 0; i < 3; ++i) REQUIRE(server.receive(frame(0x00, 0, 1, ra::Bytes(600)), kNow));
    CHECK(server.take_refusals() == std::vector<unsigned>{413});
    CHECK(server.streams() == 1);
    (void)drain(server);
    REQUIRE(server.receive(frame(0x00, 0, 1, ra::Bytes(600)), kNow));
    const std::string reset = drain(server);
    REQUIRE(reset.size() == 13);
    CHECK(reset[3] == 0x03);                               // RST_STREAM
    CHECK(reset.substr(9) == std::string("\0\0\0\0", 4));  // NO_ERROR
    CHECK(server.streams() == 0);
    CHECK(server.take_requests().empty());
}

TEST_CASE("HTTP/2: labels and operations are in the path as ever") {
    Pair pair;
    (void)pair.ask("x", "/.well-known/cmp/p/line%203/keyupdate");
    pair.talk();
    const auto requests = pair.server.take_requests();
    REQUIRE(requests.size() == 1);
    CHECK(requests[0].path.label == "line 3");
    CHECK(requests[0].path.operation == ra::Operation::kur);
}

TEST_CASE("HTTP/2: a stream that is reset takes no answer; its request was whole") {
    Pair pair;
    const auto asked = pair.ask("x");
    pair.talk();
    const auto requests = pair.server.take_requests();
    REQUIRE(requests.size() == 1);
    pair.client.abandon(asked.stream);
    pair.talk();
    CHECK_FALSE(pair.server.respond(requests[0].stream, answer_facts(), {}));
    CHECK(pair.server.streams() == 0);
}

TEST_CASE("HTTP/2: floods end the connection and cost the flooder more than us") {
    struct Row {
        const char* name;
        std::function<ra::Bytes(std::uint32_t)> one;  // the nth frame or frames
        std::size_t most;                             // of them are taken
    };
    const ra::Bytes eight(8, 0);
    const ra::Bytes cancel{0, 0, 0, 8};
    const Row rows[] = {
        {"rapid reset of whole requests",
         [&](std::uint32_t n) {
             ra::Bytes both = headers(2 * n + 1, true);
             ra::append(both, frame(0x03, 0, 2 * n + 1, cancel));
             return both;
         },
         130},
        {"rapid reset of half requests",
         [&](std::uint32_t n) {
             ra::Bytes both = headers(2 * n + 1, false);
             ra::append(both, frame(0x03, 0, 2 * n + 1, cancel));
             return both;
         },
         130},
        {"ping", [&](std::uint32_t) { return frame(0x06, 0, 0, eight); }, 1001},
        {"acknowledged pings", [&](std::uint32_t) { return frame(0x06, 1, 0, eight); }, 1001},
        {"settings", [](std::uint32_t) { return frame(0x04, 0, 0); }, 1001},
        {"priority", [](std::uint32_t n) { return frame(0x02, 0, 2 * n + 1, {0, 0, 0, 0, 16}); },
         1001},
        {"window updates", [](std::uint32_t) { return frame(0x08, 0, 0, {0, 0, 0, 1}); }, 1001},
        {"empty data",
         [](std::uint32_t n) { return n == 0 ? headers(1, false) : frame(0x00, 0, 1); }, 502},
        {"continuations without end",
         [](std::uint32_t n) { return n == 0 ? frame(0x01, 0, 1, {0x83}) : frame(0x09, 0, 1, {}); },
         20},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        ServerSession server{{}, kNoAliases, kPaths};
        REQUIRE(server.receive(preface(), kNow));
        (void)drain(server);
        std::size_t heard = 0;
        std::size_t said = 0;
        std::uint32_t taken = 0;
        std::string last;
        for (bool open = true; open && taken < 5000; ++taken) {
            const ra::Bytes octets = row.one(taken);
            heard += octets.size();
            open = server.receive(octets, kNow);
            last = drain(server);
            said += last.size();
            open = open && !server.over();
            for (const auto& request : server.take_requests()) CHECK(request.body.empty());
        }
        CHECK(taken <= row.most);
        CHECK(server.over());
        CHECK(said <= heard + 200);
    }
}

TEST_CASE("HTTP/2: the budget comes back with time and with work") {
    Budget budget;
    ra::BootTime now = kNow;
    for (int i = 0; i < 1000; ++i) REQUIRE(budget.spend(1, now));
    CHECK_FALSE(budget.spend(1, now));
    now += 1s;
    for (int i = 0; i < 99; ++i) CHECK(budget.spend(1, now));
    CHECK_FALSE(budget.spend(10, now));
    budget.earn(20);
    CHECK(budget.spend(10, now));
}

TEST_CASE("HTTP/2: a client hears as many answers as it asks for, however fast") {
    // Frames of an answer cost tokens as any other; three thousand in no time, more than there are.
    Pair pair;
    for (int round = 0; round < 60; ++round) {
        std::vector<Pair::Asked> asked;
        for (int i = 0; i < 50; ++i) asked.push_back(pair.ask("request"));
        pair.talk();
        for (auto& request : pair.server.take_requests())
            REQUIRE(pair.server.respond(request.stream, answer_facts(), std::move(request.body)));
        pair.talk();
        for (const Pair::Asked& one : asked) REQUIRE(one.call->end == Call::End::answered);
    }
    CHECK_FALSE(pair.client.going_away());
    CHECK(pair.ask("one more").stream > 0);
}

TEST_CASE("HTTP/2: a client knows what nobody has processed") {
    SUBCASE("REFUSED_STREAM") {
        Pair pair;
        const auto asked = pair.ask("x");
        pair.talk();
        pair.server.refuse_stream(pair.server.take_requests().at(0).stream);
        pair.talk();
        CHECK(asked.call->end == Call::End::unprocessed);
    }
    SUBCASE("above GOAWAY's last stream; those below are answered") {
        Pair pair;
        const auto first = pair.ask("first");
        pair.talk();
        const auto requests = pair.server.take_requests();
        pair.server.go_away();
        // On its way when the server says so.
        const auto second = pair.ask("second");
        for (ra::ByteView out = pair.client.output(); !out.empty(); out = pair.client.output()) {
        }
        CHECK(second.call->left);
        CHECK(pair.server.respond(requests.at(0).stream, answer_facts(), ra::Bytes{1}));
        pair.talk();
        CHECK(second.call->end == Call::End::unprocessed);
        CHECK(first.call->end == Call::End::answered);
        CHECK(pair.client.going_away());
        CHECK(pair.ask("third").stream < 0);
    }
    SUBCASE("the connection breaks") {
        Pair pair;
        const auto sent = pair.ask("sent");
        pair.talk();
        const auto unsent = pair.ask("unsent");
        int ends = 0;
        sent.call->ended = [&ends] { ++ends; };
        pair.client.disconnected();
        CHECK(sent.call->end == Call::End::broken);
        CHECK(unsent.call->end == Call::End::unsent);
        CHECK(ends == 1);
    }
    SUBCASE("any other reset") {
        Pair pair;
        const auto asked = pair.ask("x");
        pair.talk();
        pair.server.reset(pair.server.take_requests().at(0).stream, ErrorCode::cancel);
        pair.talk();
        CHECK(asked.call->end == Call::End::broken);
    }
    SUBCASE("an answer larger than we take") {
        ClientLimits limits;
        limits.max_body = 100;
        Pair pair{{}, limits};
        const auto asked = pair.ask("x");
        pair.talk();
        CHECK(pair.server.respond(pair.server.take_requests().at(0).stream, answer_facts(),
                                  ra::Bytes(101)));
        pair.talk();
        CHECK(asked.call->end == Call::End::malformed);
    }
}

TEST_CASE("HTTP/2: requests that do not come whole get 408; shutdown is announced first") {
    ServerSession server{{}, kNoAliases, kPaths};
    ra::Bytes octets = preface();
    ra::append(octets, headers(1, false));
    REQUIRE(server.receive(octets, kNow));
    CHECK(server.receiving_since() == kNow);
    CHECK(server.time_out(kNow - 1s, kNow) == 0);
    CHECK(server.time_out(kNow, kNow + 15s) == 1);
    CHECK(server.take_refusals() == std::vector<unsigned>{408});
    CHECK(server.receiving_since() == kNow + 15s);
    (void)drain(server);
    CHECK(server.time_out(kNow + 15s, kNow + 30s) == 1);  // it had its answer, and goes on
    (void)drain(server);
    CHECK_FALSE(server.receiving_since().has_value());
    server.notify_shutdown();
    const std::string notice = drain(server);
    REQUIRE(notice.size() >= 17);
    CHECK(notice[3] == 0x07);                                          // GOAWAY
    CHECK(notice.substr(9, 4) == std::string("\x7f\xff\xff\xff", 4));  // all streams are welcome
    REQUIRE(server.receive(headers(3, true), kNow));
    CHECK(server.take_requests().size() == 1);
    server.go_away();
    const std::string end = drain(server);
    CHECK(end.substr(9, 4) == std::string("\0\0\0\x03", 4));
    CHECK(server.respond(3, answer_facts(), ra::Bytes{1}));
    (void)drain(server);
    CHECK(server.over());
}

TEST_CASE("HTTP/2: every way of cutting the octets gives the same") {
    ra::Bytes octets = preface();
    ra::append(octets, headers(1, false));
    ra::append(octets, frame(0x00, 1, 1, ra::to_bytes(ra::as_bytes("content"))));
    for (std::size_t piece = 1; piece < octets.size(); ++piece) {
        ServerSession server{{}, kNoAliases, kPaths};
        for (std::size_t at = 0; at < octets.size(); at += piece) {
            const auto part = ra::ByteView{octets}.subspan(at, std::min(piece, octets.size() - at));
            REQUIRE(server.receive(part, kNow));
        }
        const auto requests = server.take_requests();
        REQUIRE(requests.size() == 1);
        CHECK(ra::as_text(requests[0].body) == "content");
    }
}

TEST_SUITE_END();
