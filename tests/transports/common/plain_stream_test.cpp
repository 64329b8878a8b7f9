#include "transports/common/plain_stream.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/error.hpp>
#include <functional>
#include <string>

using namespace transports::common;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using ra::BootClock;

namespace {

/// A stream and the other end of its connection.
struct Pair {
    explicit Pair(Worker& worker) {
        std::array<int, 2> ends{};
        REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) ==
                0);
        peer = ends[1];
        stream = std::make_unique<PlainStream>(worker, ends[0], ra::PeerFacts{});
        stream->expires_after(10s);
    }
    ~Pair() { close_peer(); }
    void say(std::string_view text) const {
        REQUIRE(send(peer, text.data(), text.size(), MSG_NOSIGNAL) ==
                static_cast<ssize_t>(text.size()));
    }
    void close_peer() {
        if (peer >= 0) ::close(std::exchange(peer, -1));
    }
    std::unique_ptr<PlainStream> stream;
    int peer = -1;
};

/// Runs `test` on a worker of its own until it ends.
void run(const std::function<asio::awaitable<void>(Worker&)>& test) {
    std::exception_ptr failed;
    Worker worker{[&failed](std::string_view, std::exception_ptr fault) { failed = fault; }};
    worker.tasks().on_empty([&worker] { worker.stop(); });
    worker.tasks().spawn("test", test(worker));
    worker.run();
    if (failed) std::rethrow_exception(failed);
}

std::string read_some(PlainStream& stream, std::size_t room, error_code& error) {
    std::string text(room, '\0');
    text.resize(
        stream.try_read({reinterpret_cast<std::uint8_t*>(text.data()), text.size()}, error));
    return text;
}

}  // namespace

TEST_SUITE_BEGIN("transports/common");

TEST_CASE("PlainStream: what came before the wait, during it, and in pieces") {
    run([](Worker& worker) -> asio::awaitable<void> {
        Pair pair{worker};
        PlainStream& stream = *pair.stream;
        error_code error;
        pair.say("before");
        Ready ready = co_await stream.wait_read();
        CHECK(ready == Ready::ready);
        // Less than there is: the rest is still news.
        CHECK(read_some(stream, 3, error) == "bef");
        ready = co_await stream.wait_read();
        CHECK(ready == Ready::ready);
        CHECK(read_some(stream, 64, error) == "ore");
        CHECK(stream.quiet());

        for (int i = 0; i < 3; ++i) {
            worker.schedule(BootClock::now(), [&pair] { pair.say("during"); });
            ready = co_await stream.wait_read();
            CHECK(ready == Ready::ready);
            CHECK_FALSE(stream.quiet());
            CHECK(read_some(stream, 64, error) == "during");
            CHECK(read_some(stream, 64, error).empty());
            CHECK(error == asio::error::would_block);
        }
    });
}

TEST_CASE("PlainStream: the end that comes with the last octets is seen after them") {
    run([](Worker& worker) -> asio::awaitable<void> {
        Pair pair{worker};
        error_code error;
        pair.say("last");
        pair.close_peer();
        Ready ready = co_await pair.stream->wait_read();
        CHECK(ready == Ready::ready);
        CHECK(read_some(*pair.stream, 64, error) == "last");
        ready = co_await pair.stream->wait_read();
        CHECK(ready == Ready::ready);
        CHECK(read_some(*pair.stream, 64, error).empty());
        CHECK(error == asio::error::eof);
    });
}

TEST_CASE("PlainStream: writes more than the kernel takes at once") {
    run([](Worker& worker) -> asio::awaitable<void> {
        Pair pair{worker};
        const std::string much(4'000'000, 'm');
        std::size_t seen = 0;
        // Somebody reads now and then.
        std::function<void()> drain = [&] {
            std::array<char, 65'536> room;
            for (ssize_t got = 0; (got = recv(pair.peer, room.data(), room.size(), 0)) > 0;)
                seen += static_cast<std::size_t>(got);
            if (seen < much.size()) worker.schedule(BootClock::now(), drain);
        };
        worker.schedule(BootClock::now(), drain);
        const error_code failed = co_await pair.stream->write(ra::as_bytes(much));
        CHECK_FALSE(failed);
        drain();
        CHECK(seen == much.size());
    });
}

TEST_CASE("PlainStream: deadlines and close() end a wait, in both directions") {
    run([](Worker& worker) -> asio::awaitable<void> {
        Pair pair{worker};
        PlainStream& stream = *pair.stream;
        stream.expires_after(20ms);
        Ready ready = co_await stream.wait_read();
        CHECK(ready == Ready::timed_out);
        ready = co_await stream.wait_read();  // nobody has forgiven it yet
        CHECK(ready == Ready::timed_out);
        stream.expires_after(10s);
        pair.say("x");
        ready = co_await stream.wait_read();
        CHECK(ready == Ready::ready);
        error_code error;
        (void)read_some(stream, 64, error);

        worker.schedule(BootClock::now(), [&stream] { stream.close(); });
        ready = co_await stream.wait_read();
        CHECK(ready == Ready::closed);
        ready = co_await stream.wait_write();
        CHECK(ready == Ready::closed);
        stream.close();
    });
}

TEST_CASE("PlainStream: one that is destroyed while others are told is told no more") {
    run([](Worker& worker) -> asio::awaitable<void> {
        Pair first{worker}, second{worker};
        first.say("1");
        second.say("2");
        // Both are ready in one turn; whoever comes first destroys the other.
        unsigned told = 0;
        // NOLINTNEXTLINE(cppcoreguidelines-avoid-capturing-lambda-coroutines): waited for below.
        const auto wait = [&told](Pair& own, Pair& other) -> asio::awaitable<void> {
            const Ready ready = co_await own.stream->wait_read();
            if (ready != Ready::ready) co_return;
            ++told;
            other.stream->close();
            other.stream.reset();
        };
        worker.tasks().spawn("first", wait(first, second));
        worker.tasks().spawn("second", wait(second, first));
        while (worker.tasks().size() > 1) {
            Pair clock{worker};
            clock.stream->expires_after(1ms);
            (void)co_await clock.stream->wait_read();
        }
        CHECK(told == 1);
    });
}

TEST_CASE("PlainStream: a wait that never ends is destroyed with its worker") {
    struct Mark {
        explicit Mark(int& of) : count{of} { ++count; }
        ~Mark() { --count; }
        int& count;
    };
    int alive = 0;
    {
        Worker worker{{}};
        worker.tasks().spawn("endless", [](Worker& on, int& count) -> asio::awaitable<void> {
            const Mark mark{count};
            Pair pair{on};
            pair.stream->expires_after(1h);
            (void)co_await pair.stream->wait_read();
        }(worker, alive));
        worker.schedule(BootClock::now() + 20ms, [&worker] { worker.stop(); });
        worker.run();
        CHECK(alive == 1);
    }
    CHECK(alive == 0);
}

TEST_SUITE_END();
