#include "ra/app/clock_watch.h"

#include <condition_variable>
#include <mutex>

#include "ra/app/process.h"
#include "ra/asn1/time.h"

namespace ra::app {

namespace {

constexpr std::chrono::hours kGrace{24};
// A service manager gives up on what takes long to be ready (TimeoutStartSec): each round asks for
// this much more.
constexpr std::string_view kPatience = "EXTEND_TIMEOUT_USEC=60000000\nSTATUS=not ready: ";

}  // namespace

std::string clock_fault(WallTime now, WallTime source_time) {
    if (now + kGrace >= source_time) return {};
    return "the clock shows " + asn1::readable_time(now) + ", before this program was written (" +
           asn1::readable_time(source_time) + ")";
}

ClockWatch::ClockWatch(const Clock& clock, WallTime source_time, Log& log,
                       std::function<void()> ready, std::chrono::milliseconds every) {
    const std::string fault = clock_fault(clock.wall_now(), source_time);
    if (fault.empty()) {
        ready();
        return;
    }
    log.write(Log::Level::error, "clock", {{"detail", std::string_view{"not ready: " + fault}}});
    thread_ = std::jthread{
        [&clock, source_time, &log, every, ready = std::move(ready)](const std::stop_token& end) {
            std::mutex mutex;
            std::condition_variable_any wake;
            std::unique_lock lock{mutex};
            for (std::string why = clock_fault(clock.wall_now(), source_time); !why.empty();
                 why = clock_fault(clock.wall_now(), source_time)) {
                notify_manager(std::string{kPatience} + why);
                (void)wake.wait_for(lock, end, every, [] { return false; });
                if (end.stop_requested()) return;
            }
            log.write(Log::Level::info, "clock", {{"detail", "set; ready"}});
            ready();
        }};
}

}  // namespace ra::app
