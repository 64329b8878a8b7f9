#include "transports/http1/page_server.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "fixture.h"
#include "transports/common/plain_stream.h"

using namespace fixture;
using transports::http1::Page;
using transports::http1::PageRequest;
using transports::http1::PageServer;

namespace {

/// Answers with what it was asked.
class Pages {
public:
    explicit Pages(common::ListenSockets sockets)
        : listener{std::move(sockets), {}, {{workers[0], server}}} {
        listener.start();
        workers.start();
    }
    Pages() : Pages{common::open_listen_sockets("127.0.0.1", 0, 1, 16)} {}
    ~Pages() {
        listener.stop();
        workers.drain(ra::BootClock::now() + 100ms);
        workers.stop();
    }
    [[nodiscard]] RawSocket connect() const { return RawSocket::connect(listener.port()); }
    [[nodiscard]] std::string ask(const std::string& request) const {
        const RawSocket socket = connect();
        REQUIRE(socket.write(request));
        return socket.read_all();
    }

    std::atomic<int> faults{0};
    common::Workers workers{1, [this](std::string_view, std::exception_ptr) { ++faults; }};
    PageServer server{
        workers[0],
        [](PageRequest request) -> boost::asio::awaitable<Page> {
            if (request.path == "/throw") throw std::runtime_error("broken");
            Page page;
            page.body = request.method + " " + request.path + " " + request.query + " " +
                        request.host + " " + std::string{ra::as_text(request.body)};
            const auto* plain = dynamic_cast<const common::PlainStream*>(&request.from);
            if (const auto peer = plain->local_peer())
                page.body += " uid " + std::to_string(peer->uid);
            co_return page;
        },
        {.max_body = 1000, .receive_time = 300ms}};
    common::Listener listener;
};

RawSocket connect_unix(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
        ::close(socket);
        return RawSocket{-1};
    }
    return RawSocket{socket};
}

struct Folder {
    Folder() {
        char name[] = "/tmp/cmpgate-page-XXXXXX";
        path = ::mkdtemp(name);
    }
    ~Folder() { std::filesystem::remove_all(path); }
    std::string path;
};

}  // namespace

TEST_SUITE("transports/http1") {
    TEST_CASE("PageServer: requests as they come") {
        const Pages pages;
        const std::string tail = "Connection: close\r\n\r\n";
        std::string said = pages.ask("GET /metrics?x=1 HTTP/1.1\r\nHost: localhost:9\r\n" + tail);
        CHECK(status_of(said) == 200);
        CHECK(content_of(said) == "GET /metrics x=1 localhost ");
        CHECK(has(said, "Connection: close"));
        said = pages.ask("GET / HTTP/1.1\r\nHost: [::1]:80\r\n" + tail);
        CHECK(content_of(said) == "GET /  [::1] ");
        said = pages.ask("POST /a HTTP/1.1\r\nHost: b\r\nContent-Length: 3\r\n" + tail + "xyz");
        CHECK(content_of(said) == "POST /a  b xyz");
        said = pages.ask("POST /a HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n" + tail +
                         "3\r\nxyz\r\n0\r\n\r\n");
        CHECK(content_of(said) == "POST /a  b xyz");
        said = pages.ask("DELETE /a/b HTTP/1.0\r\n\r\n");
        CHECK(content_of(said) == "DELETE /a/b   ");
        said = pages.ask("HEAD /a HTTP/1.1\r\nHost: b\r\n" + tail);
        CHECK(has(said, "Content-Length: 10"));
        CHECK(content_of(said).empty());
    }

    TEST_CASE("PageServer: one connection, several requests, octet by octet") {
        const Pages pages;
        const RawSocket socket = pages.connect();
        const std::string request = "GET /one HTTP/1.1\r\nHost: b\r\n\r\n";
        for (const char octet : request) REQUIRE(socket.write({&octet, 1}));
        CHECK(content_of(socket.read_some()) == "GET /one  b ");
        // Two at once, answered in order.
        REQUIRE(
            socket.write(request + "GET /two HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n"));
        const std::string both = socket.read_all();
        CHECK(both.find("/one") < both.find("/two"));
        CHECK(has(both, "/two"));
    }

    TEST_CASE("PageServer: faults of HTTP have their status, and end the connection") {
        const Pages pages;
        struct Row {
            const char* name;
            std::string request;
            unsigned status;
        };
        const Row rows[] = {
            {"no HTTP", "nonsense\r\n\r\n", 400},
            {"no host", "GET / HTTP/1.1\r\n\r\n", 400},
            {"two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
            {"length and chunks",
             "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: "
             "chunked\r\n\r\n",
             400},
            {"no path", "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
            {"method", "BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 501},
            {"too much", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n", 413},
            {"too long a header", "GET / HTTP/1.1\r\nHost: " + std::string(9000, 'a'), 431},
            {"expects",
             "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: "
             "1\r\n\r\n",
             417},
            {"half a request", "GET / HT", 408},
        };
        for (const Row& row : rows) {
            CAPTURE(row.name);
            CHECK(status_of(pages.ask(row.request)) == row.status);
        }
        CHECK(pages.faults == 0);
        CHECK(status_of(pages.ask("GET /throw HTTP/1.0\r\n\r\n")) == 500);
        CHECK(pages.faults == 1);
    }

    TEST_CASE("S-40: a Unix socket says who asks, and its mode who may") {
        const Folder folder;
        const std::string path = folder.path + "/admin.sock";
        {
            const Pages pages{common::open_unix_socket(path, false, 16)};
            struct stat facts{};
            REQUIRE(::stat(path.c_str(), &facts) == 0);
            CHECK((facts.st_mode & 0777U) == 0600U);
            const RawSocket socket = connect_unix(path);
            REQUIRE(socket.write("GET / HTTP/1.0\r\n\r\n"));
            CHECK(has(socket.read_all(), " uid " + std::to_string(::getuid())));
            // Somebody listens there: it is not taken over.
            CHECK_THROWS_WITH_AS((void)common::open_unix_socket(path, false, 16),
                                 doctest::Contains("taken"), std::runtime_error);
        }
        // Left behind by a crash: replaced, with the mode that is asked for.
        REQUIRE(std::filesystem::exists(path));
        const auto again = common::open_unix_socket(path, true, 16);
        struct stat facts{};
        REQUIRE(::stat(path.c_str(), &facts) == 0);
        CHECK((facts.st_mode & 0777U) == 0666U);
        // Anything else stays.
        const std::string file = folder.path + "/file";
        std::fclose(std::fopen(file.c_str(), "w"));
        CHECK_THROWS_AS((void)common::open_unix_socket(file, false, 16), std::runtime_error);
        CHECK(std::filesystem::exists(file));
        CHECK_THROWS_AS((void)common::open_unix_socket(folder.path + "/none/s", false, 16),
                        std::runtime_error);
        CHECK_THROWS_AS((void)common::open_unix_socket(std::string(200, 'x'), false, 16),
                        std::runtime_error);
    }
}
