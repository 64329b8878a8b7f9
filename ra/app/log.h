#pragma once

#include <atomic>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "ra/app/config/config.h"

namespace spdlog {
class logger;  // NOLINT(readability-identifier-naming): named by spdlog
}

namespace ra::app {

/// The wall clock as log and audit write it: 2026-01-31T12:00:00.123Z.
[[nodiscard]] std::string now_text();

/// One named value of a log line. Names are stable: operators search for them.
struct Field {
    std::string_view name;
    std::variant<std::string_view, std::int64_t, double, bool> value;
};

/// The process's log: one event a line, as `time level event name=value …` or as one JSON object.
/// Whatever is printed is escaped: no octet of a message can start a line of its own or leave its
/// field. Any thread.
class Log {
public:
    using Level = config::LogConfig::Level;

    /// `directory`: where a relative "file:" begins. Throws std::runtime_error: the file cannot be
    /// written.
    explicit Log(const config::LogConfig& settings, const std::string& directory = {});
    ~Log();
    Log(const Log&) = delete;
    Log& operator=(const Log&) = delete;

    /// Cheap: ask before putting a line together.
    [[nodiscard]] bool wants(Level level) const noexcept {
        return level >= level_.load(std::memory_order_relaxed);
    }

    /// `event`: a literal of one word.
    void write(Level level, std::string_view event, const std::vector<Field>& fields);
    void flush();

    /// What use() takes: a file is opened (again) before anything changes. Throws as the
    /// constructor does.
    class Change;
    [[nodiscard]] Change prepare(const config::LogConfig& settings,
                                 const std::string& directory) const;
    /// Any thread: lines go there from now on.
    void use(Change change);

private:
    class Sink;
    std::shared_ptr<Sink> sink_;
    std::shared_ptr<spdlog::logger> logger_;
    std::atomic<Level> level_;
    std::atomic<config::LogConfig::Format> format_;
};

/// A prepared change of the log.
class Log::Change {
public:
    Change(Change&& other) noexcept;
    Change& operator=(Change&&) = delete;
    ~Change();

private:
    friend class Log;
    Change(config::LogConfig settings, int descriptor) noexcept;
    config::LogConfig settings_;
    int descriptor_ = -1;
};

/// For tests: the line that write() prints, without the time.
[[nodiscard]] std::string render_line(config::LogConfig::Format format, std::string_view time,
                                      Log::Level level, std::string_view event,
                                      const std::vector<Field>& fields);

}  // namespace ra::app
