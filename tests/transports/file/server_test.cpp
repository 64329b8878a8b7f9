#include "transports/file/server.h"

#include <doctest/doctest.h>

#include "tests/transports/file/spool.h"
#include "tests/transports/http1/fixture.h"

using namespace fixture;
using namespace transports::file;
namespace fs = std::filesystem;

namespace {

/// A worker and a spool it serves.
struct FileFixture {
    explicit FileFixture(const SpoolFolder& folder, ScriptedExchange::Script script = echo,
                         FileServerSettings settings = {},
                         std::chrono::milliseconds delay = std::chrono::milliseconds{0})
        : exchange{workers[0], std::move(script)},
          server{folder.path().string(),
                 std::move(settings),
                 {{workers[0], exchange}},
                 counters,
                 [this](std::string_view file, std::string_view why) {
                     const std::lock_guard lock{mutex};
                     reports.push_back(std::string(file) + ": " + std::string(why));
                 }} {
        exchange.delay = delay;
        workers.start();
        server.start();
        thread = std::thread{[this] { server.run(); }};
    }
    ~FileFixture() {
        server.stop();
        workers.drain(ra::BootClock::now() + 2s);
        end();
        workers.stop();
    }
    void end() {
        server.end();
        if (thread.joinable()) thread.join();
    }

    common::Workers workers{1, [](std::string_view, std::exception_ptr) {}};
    FileServerCounters counters;
    std::mutex mutex;
    std::vector<std::string> reports;
    ScriptedExchange exchange;
    FileServer server;
    std::thread thread;
};

bool gone(const fs::path& file) { return !fs::exists(file); }

}  // namespace

TEST_SUITE("transports/file") {
    TEST_CASE("FileServer: an answer for each file, under its name") {
        SpoolFolder folder;
        {
            const Spool made{folder.path().string()};
        }
        folder.drop("before.pki", der("before"));  // the kernel will say nothing of it
        FileServerSettings settings;
        settings.label = "line3";
        FileFixture fixture{folder, echo, settings};
        for (int i = 0; i < 100; ++i)
            folder.drop(std::to_string(i) + ".pki", der("message " + std::to_string(i)));
        SpoolFolder::write(folder.in("notes.txt"), "none of ours");
        CHECK(eventually([&] { return folder.count("out") == 101; }));
        CHECK(SpoolFolder::read(folder.out("before.pki")) == der("before"));
        for (int i = 0; i < 100; ++i) {
            CHECK(SpoolFolder::read(folder.out(std::to_string(i) + ".pki")) ==
                  der("message " + std::to_string(i)));
        }
        CHECK(eventually([&] { return folder.count("work") == 0; }));
        CHECK(folder.count("in") == 1);
        CHECK(fixture.exchange.arrivals().front().label == "line3");
        CHECK(fixture.exchange.arrivals().front().peer.address.empty());
        CHECK(fixture.counters.answered.get() == 101);
        CHECK(folder.count("failed") == 0);
    }

    TEST_CASE("FileServer: a file that is being written is waited for, not for ever") {
        SpoolFolder folder;
        FileServerSettings settings;
        settings.receive_time = 1500ms;
        FileFixture fixture{folder, echo, settings};
        const std::string whole = der("in pieces");
        std::ofstream slow{folder.in("slow.pki"), std::ios::binary};
        for (const char octet : whole) {
            slow << octet << std::flush;
            std::this_thread::sleep_for(50ms);
        }
        slow.close();
        CHECK(eventually([&] { return fs::exists(folder.out("slow.pki")); }));
        CHECK(SpoolFolder::read(folder.out("slow.pki")) == whole);
        CHECK(fixture.exchange.arrivals().size() == 1);

        folder.drop("half.pki", whole.substr(0, 5));
        CHECK(eventually([&] { return fs::exists(folder.failed("half.pki")); }));
        CHECK(SpoolFolder::read(folder.failed("half.why")) == "not a whole message\n");
        CHECK(SpoolFolder::read(folder.failed("half.pki")) == whole.substr(0, 5));
    }

    TEST_CASE("FileServer: what is not taken, and why") {
        SpoolFolder folder;
        FileServerSettings settings;
        settings.max_message = 20;
        FileFixture fixture{folder,
                            [](const ra::Arrival& arrival) -> ra::Reply {
                                if (ra::as_text(arrival.der) == der("stored"))
                                    return ra::Accepted{true};
                                if (ra::as_text(arrival.der) == der("unknown"))
                                    return ra::NotCmp{ra::NotCmp::Why::malformed,
                                                      ra::to_bytes(ra::as_bytes("error"))};
                                return ra::Answer{arrival.der};
                            },
                            settings};
        folder.drop("text.pki", "Dear CA,");
        folder.drop("large.pki", der("more than twenty octets"));
        SpoolFolder::write(folder.path() / "secret", der("secret"));
        fs::create_symlink(folder.path() / "secret", folder.in("link.pki"));
        SpoolFolder::write(folder.out("taken.pki"), "somebody's");
        folder.drop("taken.pki", der("x"));
        folder.drop("unknown.pki", der("unknown"));
        folder.drop("stored.pki", der("stored"));
        folder.drop("last.pki", der("last"));
        // The kernel says nothing of a link; whatever comes next does.
        CHECK(eventually([&] { return folder.count("failed") == 10; }));
        CHECK(SpoolFolder::read(folder.failed("text.why")) == "no DER\n");
        CHECK(SpoolFolder::read(folder.failed("large.why")) == "too large\n");
        CHECK(SpoolFolder::read(folder.failed("link.why")) == "a symbolic link\n");
        CHECK(fs::is_symlink(folder.failed("link.pki")));
        CHECK(SpoolFolder::read(folder.failed("taken.why")) ==
              "an answer of this name waits in out; nothing is overwritten\n");
        CHECK(SpoolFolder::read(folder.out("taken.pki")) == "somebody's");
        CHECK(SpoolFolder::read(folder.failed("unknown.why")) == "no PKIMessage\n");
        CHECK(SpoolFolder::read(folder.out("unknown.pki")) == "error");
        CHECK(eventually([&] { return fs::exists(folder.out("last.pki")); }));
        CHECK(eventually([&] { return folder.count("work") == 0; }));
        CHECK(gone(folder.out("stored.pki")));
        CHECK(folder.count("in") == 0);
        CHECK(eventually([&] {
            const std::lock_guard lock{fixture.mutex};
            return fixture.reports.size() == 5;
        }));
    }

    TEST_CASE("FileServer: overload is not the file's fault") {
        SpoolFolder folder;
        std::atomic<int> asked{0};
        FileFixture fixture{folder, [&](const ra::Arrival& arrival) -> ra::Reply {
                                if (++asked < 3) return ra::Overloaded{};
                                return ra::Answer{arrival.der};
                            }};
        folder.drop("a.pki", der("a"));
        CHECK(eventually([&] { return fs::exists(folder.out("a.pki")); }));
        CHECK(asked == 3);
    }

    TEST_CASE("FileServer: not more at once than may be; in the order they were written") {
        SpoolFolder folder;
        FileServerSettings settings;
        settings.at_once = 2;
        std::atomic<int> most{0};
        FileFixture fixture{folder, echo, settings, 20ms};
        for (int i = 9; i >= 0; --i) {
            folder.drop(std::to_string(i) + ".pki", der(std::to_string(i)));
            std::this_thread::sleep_for(2ms);
            most = std::max(most.load(), static_cast<int>(fixture.counters.under_way.get()));
        }
        CHECK(eventually([&] { return folder.count("out") == 10; }));
        CHECK(most <= 2);
        std::string order;
        for (const ra::Arrival& arrival : fixture.exchange.arrivals())
            order += ra::as_text(arrival.der).substr(2);
        CHECK(order == "9876543210");
    }

    TEST_CASE("FileServer: what was under way when it ended is taken up again") {
        SpoolFolder folder;
        {
            const Spool made{folder.path().string()};
        }
        // As a process leaves it that is killed: taken and not answered, answered and not cleared
        // away, an answer half written.
        SpoolFolder::write(folder.path() / "work" / "taken.pki", der("taken"));
        SpoolFolder::write(folder.path() / "work" / "answered.pki", der("answered"));
        SpoolFolder::write(folder.out("answered.pki"), "its answer");
        SpoolFolder::write(folder.path() / "work" / ".aside-1-1", "half");
        FileFixture fixture{folder};
        CHECK(eventually([&] { return fs::exists(folder.out("taken.pki")); }));
        CHECK(eventually([&] { return folder.count("work") == 0; }));
        CHECK(SpoolFolder::read(folder.out("answered.pki")) == "its answer");
        CHECK(fixture.exchange.arrivals().size() == 1);
    }

    TEST_CASE("FileServer: stopped it takes no more, and what is under way is answered") {
        SpoolFolder folder;
        FileFixture fixture{folder, echo, {}, 200ms};
        folder.drop("first.pki", der("first"));
        REQUIRE(eventually([&] { return fixture.counters.under_way.get() == 1; }));
        fixture.server.stop();
        CHECK_FALSE(fixture.server.deserted());
        std::this_thread::sleep_for(50ms);
        folder.drop("second.pki", der("second"));
        CHECK(eventually([&] { return fs::exists(folder.out("first.pki")); }));
        CHECK(eventually([&] { return fixture.server.deserted(); }));
        CHECK(fs::exists(folder.in("second.pki")));
        fixture.server.start();
        CHECK(eventually([&] { return fs::exists(folder.out("second.pki")); }));
    }
}
