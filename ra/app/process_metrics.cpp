#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <ctime>
#include <fstream>
#include <sstream>

#include "ra/app/server_metrics.h"

namespace ra::app {
namespace {

double seconds_of(const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

double open_descriptors() {
    DIR* const folder = ::opendir("/proc/self/fd");
    if (folder == nullptr) return 0;
    double count = -3;  // ".", ".." and the one that reads
    while (::readdir(folder) != nullptr) ++count;
    ::closedir(folder);
    return count;
}

/// Fields of /proc/self/stat behind the program's name, which may hold anything: [0] is the state.
std::vector<std::string> stat_fields() {
    std::ifstream file{"/proc/self/stat"};
    std::string text;
    std::getline(file, text);
    const auto end = text.rfind(") ");
    std::vector<std::string> fields;
    if (end == std::string::npos) return fields;
    std::istringstream rest{text.substr(end + 2)};
    for (std::string field; rest >> field;) fields.push_back(field);
    return fields;
}

/// When the machine was started, by the wall clock of now. Not from /proc/stat, which the unit
/// hides.
double boot_time() {
    timespec wall{};
    timespec boot{};
    ::clock_gettime(CLOCK_REALTIME, &wall);
    ::clock_gettime(CLOCK_BOOTTIME, &boot);
    return static_cast<double>(wall.tv_sec - boot.tv_sec) +
           static_cast<double>(wall.tv_nsec - boot.tv_nsec) / 1e9;
}

}  // namespace

/// Names and meanings as every Prometheus client has them.
void add_process_samples(std::vector<metrics::Sample>& samples) {
    const auto add = [&samples](std::string_view name, std::string_view help, bool gauge,
                                double value) {
        samples.push_back({name, help, gauge, {}, value});
    };
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    add("process_cpu_seconds_total", "Processor time, user and system.", false,
        seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime));
    add("process_open_fds", "Open descriptors.", true, open_descriptors());
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    add("process_max_fds", "Most descriptors that may be open.", true,
        static_cast<double>(limit.rlim_cur));
    // proc(5): the state is field 3 there and [0] here.
    static constexpr std::size_t kThreads = 17, kStart = 19, kVirtual = 20, kResident = 21;
    const std::vector<std::string> stat = stat_fields();
    if (stat.size() <= kResident) return;
    const auto page = static_cast<double>(::sysconf(_SC_PAGESIZE));
    const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
    add("process_threads", "Threads.", true, std::stod(stat[kThreads]));
    add("process_start_time_seconds", "When it started.", true,
        boot_time() + std::stod(stat[kStart]) / ticks);
    add("process_virtual_memory_bytes", "Addresses in use.", true, std::stod(stat[kVirtual]));
    add("process_resident_memory_bytes", "Memory in use.", true, std::stod(stat[kResident]) * page);
}

}  // namespace ra::app
