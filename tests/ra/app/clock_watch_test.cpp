#include "ra/app/clock_watch.h"

#include <doctest/doctest.h>

#include <atomic>
#include <filesystem>
#include <fstream>

#include "ra/app/version.h"
#include "tests/support/fake_clock.h"

using namespace ra::app;
using namespace std::chrono_literals;

namespace {

/// A log in a file, and what it says.
class LogFile {
public:
    LogFile() : path_{std::filesystem::temp_directory_path() / "cmpgate-clock-watch-XXXXXX"} {
        std::string name = path_.string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path_ = name;
        settings_.to = "file:" + (path_ / "log").string();
    }
    ~LogFile() { std::filesystem::remove_all(path_); }
    LogFile(const LogFile&) = delete;
    LogFile& operator=(const LogFile&) = delete;

    [[nodiscard]] const config::LogConfig& settings() const noexcept { return settings_; }
    [[nodiscard]] std::string text() const {
        std::ifstream in{path_ / "log"};
        return {std::istreambuf_iterator<char>{in}, {}};
    }

private:
    std::filesystem::path path_;
    config::LogConfig settings_;
};

}  // namespace

TEST_SUITE("ra/app") {
    TEST_CASE("S-43: a wall clock before the program's source is not ready, with the reason") {
        const ra::WallTime written{1'790'000'000s};
        CHECK(clock_fault(written, written).empty());
        CHECK(clock_fault(written + 24h * 365, written).empty());
        CHECK(clock_fault(written - 24h, written).empty());  // two clocks a day apart
        const std::string fault = clock_fault(ra::WallTime{0s}, written);
        CHECK(fault.find("1970-01-01") != std::string::npos);
        CHECK(fault.find("2026-09-21") != std::string::npos);
        CHECK(clock_fault(ra::SystemClock{}.wall_now(), source_time()).empty());
    }

    TEST_CASE("S-43: a right clock is ready at once, a wrong one when it has been set") {
        const LogFile file;
        Log log{file.settings(), "."};
        std::atomic<int> ready = 0;
        test::FakeClock clock;
        const ra::WallTime written = clock.wall_now();
        {
            const ClockWatch watch{clock, written, log, [&ready] { ++ready; }};
            CHECK(ready == 1);
        }
        CHECK(file.text().empty());

        clock.step_wall(-24h * 365 * 50);
        {
            const ClockWatch unset{clock, written, log, [&ready] { ++ready; }, 1ms};
            CHECK(file.text().find("not ready: the clock shows 19") != std::string::npos);
        }
        CHECK(ready == 1);  // never set: never ready, and its end does not hang

        std::atomic<bool> called = false;
        const ClockWatch watch{clock, written, log,
                               [&called] {
                                   called = true;
                                   called.notify_all();
                               },
                               1ms};
        CHECK_FALSE(called);
        clock.step_wall(24h * 365 * 50);
        called.wait(false);
        CHECK(file.text().find("set; ready") != std::string::npos);
    }
}
