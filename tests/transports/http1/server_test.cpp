#include <doctest/doctest.h>

#include <cstdio>

#include "fixture.h"

using namespace fixture;

TEST_SUITE_BEGIN("transports/http1");

TEST_CASE("HttpServer: replies become statuses") {
    struct Row {
        const char* name;
        ra::Reply reply;
        unsigned status;
        const char* content;
        const char* field;  // in the header
    };
    const ra::Bytes der{0x30, 0x00};
    const Row rows[] = {
        {"answer", ra::Answer{der}, 200, nullptr, "Content-Type: application/pkixcmp\r\n"},
        {"stored", ra::Accepted{true}, 201, "", "Content-Length: 0\r\n"},
        {"accepted", ra::Accepted{false}, 202, "", "Content-Length: 0\r\n"},
        {"malformed", ra::NotCmp{ra::NotCmp::Why::malformed, {}}, 400, "", "Content-Length: 0\r\n"},
        {"malformed with CMP error", ra::NotCmp{ra::NotCmp::Why::malformed, der}, 400, nullptr,
         "Content-Type: application/pkixcmp\r\n"},
        {"wrong label", ra::NotCmp{ra::NotCmp::Why::wrong_path, {}}, 404, nullptr,
         "Content-Type: text/plain"},
        {"overloaded", ra::Overloaded{7s}, 503, "", "Retry-After: 7\r\n"},
    };
    const Row* row = rows;
    Server server{[&row](const ra::Arrival&) { return row->reply; }};
    RawSocket client = server.connect();
    for (const Row& one : rows) {
        row = &one;
        CAPTURE(one.name);
        REQUIRE(client.write(post("x")));
        const std::string response = client.read_response();
        CHECK(status_of(response) == one.status);
        CHECK(has(response, one.field));
        CHECK(has(response, "Cache-Control: no-cache\r\n"));
        CHECK(has(response, "\r\nDate: "));
        CHECK_FALSE(has(response, "Connection: close"));
        if (one.content != nullptr) CHECK(content_of(response) == one.content);
    }
    const auto arrivals = server.exchange.arrivals();
    CHECK(arrivals.size() == std::size(rows));
    CHECK(server.counters.reused.get() == std::size(rows) - 1);
    CHECK(server.counters.statuses[2].get() == 3);
}

TEST_CASE("HttpServer: what the Exchange is told") {
    http1::HttpServerSettings settings;
    settings.listener = ra::ListenerId{3};
    settings.aliases = {"/pkix/"};
    Server server{echo, settings};
    RawSocket client = server.connect();
    REQUIRE(client.write(post("abc", {}, "/.well-known/cmp/p/line3/initialization")));
    const std::string response = client.read_response();
    CHECK(content_of(response) == "abc");
    REQUIRE(client.write(post("d", {}, "/pkix/")));
    CHECK(status_of(client.read_response()) == 200);
    const auto arrivals = server.exchange.arrivals();
    REQUIRE(arrivals.size() == 2);
    CHECK(ra::as_text(arrivals[0].der) == "abc");
    CHECK(arrivals[0].label == "line3");
    CHECK(arrivals[0].advised == ra::Operation::ir);
    CHECK(arrivals[0].listener == ra::ListenerId{3});
    CHECK(arrivals[0].peer.address == "127.0.0.1");
    CHECK(arrivals[0].peer.port != 0);
    CHECK(arrivals[0].deadline > ra::BootClock::now() + 50s);
    CHECK(has(response, "X-Request-Id: " + arrivals[0].trace.text() + "\r\n"));
    CHECK(arrivals[0].trace != arrivals[1].trace);
}

TEST_CASE("HttpServer: transport faults are answered, then the connection ends") {
    struct Row {
        const char* name;
        std::string request;
        unsigned status;
        const char* field;
    };
    const Row rows[] = {
        {"GET", "GET /.well-known/cmp HTTP/1.1\r\nHost: a\r\n\r\n", 405, "Allow: POST\r\n"},
        {"wrong path", post("x", {}, "/nowhere"), 404, "/.well-known/cmp"},
        {"too large",
         "POST /.well-known/cmp HTTP/1.1\r\nHost: a\r\nContent-Type: "
         "application/pkixcmp\r\nContent-Length: 1000000\r\n\r\n" +
             std::string(300'000, 'x'),
         413, "Connection: close\r\n"},
        {"smuggling", post("x", "Transfer-Encoding: chunked\r\n"), 400, "Connection: close\r\n"},
        {"no HTTP", "\x16\x03\x01\x02" + std::string(1, '\0') + "\r\n\r\n", 400,
         "Connection: close\r\n"},
    };
    Server server;
    for (const Row& row : rows) {
        CAPTURE(row.name);
        RawSocket client = server.connect();
        REQUIRE(client.write(row.request));
        client.write(post("smuggled"));
        const std::string all = client.read_all();
        CHECK(status_of(all) == row.status);
        CHECK(has(all, row.field));
        CHECK(all.find("HTTP/1.1", 1) == std::string::npos);  // nothing else was served
    }
    CHECK(server.exchange.arrivals().empty());
}

TEST_CASE("HttpServer: pipelined requests are answered in order") {
    Server server;
    RawSocket client = server.connect();
    std::string all;
    for (int i = 0; i < 20; ++i) all += post("message " + std::to_string(i)) + "\r\n";
    REQUIRE(client.write(all));
    for (int i = 0; i < 20; ++i) {
        CHECK(content_of(client.read_response()) == "message " + std::to_string(i));
    }
}

TEST_CASE("HttpServer: one octet a segment, chunked, Expect") {
    Server server;
    RawSocket client = server.connect();
    const int on = 1;
    setsockopt(client.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    for (const char octet : post("slowly")) REQUIRE(client.write({&octet, 1}));
    CHECK(content_of(client.read_response()) == "slowly");

    const std::string head =
        "POST /.well-known/cmp HTTP/1.1\r\nHost: a\r\nContent-Type: application/pkixcmp\r\n";
    REQUIRE(client.write(head + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"));
    REQUIRE(client.write("2\r\nde\r\n0\r\n\r\n"));
    CHECK(content_of(client.read_response()) == "abcde");

    REQUIRE(client.write(head + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n"));
    CHECK(client.read_some() == "HTTP/1.1 100 Continue\r\n\r\n");
    REQUIRE(client.write("hi"));
    CHECK(content_of(client.read_response()) == "hi");
}

TEST_CASE("HttpServer: HTTP/1.0 keep-alive, two segments, without the delayed ACK") {
    Server server;
    RawSocket client = server.connect();
    const std::string head =
        "POST /.well-known/cmp HTTP/1.0\r\nConnection: keep-alive\r\nContent-Type: "
        "application/pkixcmp\r\nContent-Length: 3\r\n\r\n";
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < 20; ++i) {
        // Nagle holds the second segment back until the first is acknowledged.
        REQUIRE(client.write(head));
        REQUIRE(client.write("abc"));
        const std::string response = client.read_response();
        REQUIRE(content_of(response) == "abc");
        CHECK(has(response, "Connection: keep-alive\r\n"));
    }
    CHECK(std::chrono::steady_clock::now() - begin < 20 * 20ms);  // delayed ACKs: 20 * 40 ms

    REQUIRE(
        client.write("POST /.well-known/cmp HTTP/1.0\r\nContent-Type: application/pkixcmp\r\n"
                     "Content-Length: 1\r\n\r\nx"));
    CHECK(has(client.read_all(), "Connection: close\r\n"));
}

TEST_CASE("HttpServer: slow and idle clients are closed") {
    http1::HttpServerSettings settings;
    settings.receive_time = 100ms;
    settings.idle_time = 300ms;
    Server server{echo, settings};

    RawSocket slow = server.connect();
    REQUIRE(slow.write("POST /.well-known/cmp HTTP/1.1\r\n"));
    std::string got;
    for (int i = 0; i < 100 && got.empty(); ++i) {  // an octet now and then keeps nothing alive
        if (!slow.write("X")) break;
        char buffer[512];
        const ssize_t n = recv(slow.get(), buffer, sizeof buffer, MSG_DONTWAIT);
        if (n > 0) got.assign(buffer, static_cast<std::size_t>(n));
        std::this_thread::sleep_for(10ms);
    }
    CHECK(status_of(got) == 408);
    CHECK(server.counters.timeouts.get() == 1);

    RawSocket idle = server.connect();
    REQUIRE(idle.write(post("x")));
    CHECK(status_of(idle.read_response()) == 200);
    const auto begin = std::chrono::steady_clock::now();
    CHECK(idle.read_some().empty());
    const auto waited = std::chrono::steady_clock::now() - begin;
    CHECK(waited > 250ms);
    CHECK(waited < 2s);
    CHECK(server.counters.idle_closed.get() == 1);
}

TEST_CASE("HttpServer: the client leaves, its exchange goes on") {
    Server server{echo, {}, {}, 100ms};
    {
        RawSocket client = server.connect();
        REQUIRE(client.write(post("x")));
        REQUIRE(eventually([&] { return server.exchange.arrivals().size() == 1; }));
        client.reset();
    }
    CHECK(eventually([&] { return server.exchange.finished == 1; }));
    CHECK(eventually([&] { return server.counters.dropped_replies.get() == 1; }));
    CHECK(eventually([&] { return server.listener.counters(0).open.get() == 0; }));
}

TEST_CASE("HttpServer: an answer bigger than the socket takes, read late") {
    const ra::Bytes big(8 * 1024 * 1024, 0x5a);
    Server server{[&](const ra::Arrival&) { return ra::Answer{big}; }};
    RawSocket client = server.connect();
    REQUIRE(client.write(post("x")));
    std::this_thread::sleep_for(50ms);
    CHECK(content_of(client.read_response()).size() == big.size());
}

TEST_CASE("HttpServer: an exchange that throws is a 500 and a log line") {
    Server server{[](const ra::Arrival&) -> ra::Reply { throw std::runtime_error{"broken"}; }};
    RawSocket client = server.connect();
    REQUIRE(client.write(post("x")));
    CHECK(status_of(client.read_response()) == 500);
    CHECK(server.faults == 1);
}

TEST_CASE("HttpServer: requests a connection are limited") {
    http1::HttpServerSettings settings;
    settings.max_requests = 2;
    Server server{echo, settings};
    RawSocket client = server.connect();
    REQUIRE(client.write(post("1") + post("2") + post("3")));
    const std::string all = client.read_all();
    CHECK(has(all, "Connection: close\r\n"));
    CHECK(server.exchange.arrivals().size() == 2);
}

TEST_CASE("HttpServer: descriptors return to their baseline") {
    Server server;
    const std::size_t before = open_descriptors();
    {
        std::vector<RawSocket> clients;
        for (int i = 0; i < 50; ++i) {
            clients.push_back(server.connect());
            REQUIRE(clients.back().write(i % 2 == 0 ? post("x") : std::string{"POST /"}));
        }
        REQUIRE(eventually([&] { return server.listener.counters(0).open.get() == 50; }));
        for (int i = 0; i < 50; i += 3) clients[static_cast<std::size_t>(i)].reset();
    }
    CHECK(eventually([&] { return server.listener.counters(0).open.get() == 0; }));
    CHECK(eventually([&] { return open_descriptors() == before; }));
}

TEST_CASE("HttpServer: a drain closes idle connections and ends busy ones after their answer") {
    Server server{echo, {}, {}, 200ms};
    RawSocket idle = server.connect();
    RawSocket busy = server.connect();
    REQUIRE(busy.write(post("x")));
    REQUIRE(eventually([&] { return server.listener.counters(0).open.get() == 2; }));
    REQUIRE(eventually([&] { return server.exchange.arrivals().size() == 1; }));
    server.listener.stop();
    CHECK(server.workers.drain(ra::BootClock::now() + 3s));
    CHECK(idle.read_all().empty());
    const std::string answer = busy.read_all();
    CHECK(content_of(answer) == "x");
    CHECK(has(answer, "Connection: close\r\n"));
    CHECK(server.connect().read_all().empty());
}

TEST_CASE("HttpServer: curl gets its answer") {
    if (std::system("command -v curl >/dev/null") != 0) {
        MESSAGE("skipped: no curl");
        return;
    }
    Server server;
    const std::string command =
        "curl -sS --max-time 5 -H 'Content-Type: application/pkixcmp' --data-binary hello "
        "http://127.0.0.1:" +
        std::to_string(server.port()) + "/.well-known/cmp 2>&1";
    const std::unique_ptr<FILE, int (*)(FILE*)> pipe{popen(command.c_str(), "r"), pclose};
    char text[256]{};
    const std::size_t size = fread(text, 1, sizeof text - 1, pipe.get());
    CHECK(std::string(text, size) == "hello");
}

TEST_SUITE_END();
