#include "ra/app/log.h"

#include <fcntl.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <mutex>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace ra::app {
namespace {

using config::LogConfig;

constexpr std::array<std::string_view, 4> kLevels{"debug", "info", "warning", "error"};

/// Quoted where it would not read as one word; what is not printable ASCII or UTF-8 text as \xNN.
void append_value(std::string& line, std::string_view value) {
    static constexpr std::string_view kHex = "0123456789abcdef";
    const bool plain = !value.empty() && std::all_of(value.begin(), value.end(), [](char c) {
        return c > ' ' && c < 0x7f && c != '"' && c != '\\' && c != '=';
    });
    if (plain) {
        line += value;
        return;
    }
    line += '"';
    for (const char c : value) {
        const auto octet = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            line += '\\';
            line += c;
        } else if (octet < 0x20 || octet == 0x7f) {
            line += "\\x";
            line += kHex[octet >> 4U];
            line += kHex[octet & 15U];
        } else {
            line += c;
        }
    }
    line += '"';
}

/// Sequences that are no UTF-8 would make the JSON line no JSON; C1 controls move terminals.
std::string as_utf8(std::string_view text) {
    std::string clean;
    for (std::size_t i = 0; i < text.size();) {
        const auto lead = static_cast<unsigned char>(text[i]);
        const std::size_t size = lead < 0x80                   ? 1
                                 : lead >= 0xc3 && lead < 0xe0 ? 2
                                 : lead >= 0xe0 && lead < 0xf0 ? 3
                                 : lead >= 0xf0 && lead < 0xf5 ? 4
                                 : lead == 0xc2                ? 2
                                                               : 0;
        bool valid = size != 0 && i + size <= text.size();
        for (std::size_t j = 1; valid && j < size; ++j)
            valid = (static_cast<unsigned char>(text[i + j]) & 0xc0U) == 0x80;
        if (valid && lead == 0xc2 && static_cast<unsigned char>(text[i + 1]) < 0xa0) valid = false;
        if (valid) {
            clean += text.substr(i, size);
            i += size;
        } else {
            clean += "\xef\xbf\xbd";
            ++i;
        }
    }
    return clean;
}

std::string render_json(std::string_view time, Log::Level level, std::string_view event,
                        const std::vector<Field>& fields) {
    namespace json = boost::json;
    json::object line;
    line.reserve(fields.size() + 3);
    line["time"] = json::string_view(time.data(), time.size());
    const std::string_view name = kLevels[static_cast<std::size_t>(level)];
    line["level"] = json::string_view(name.data(), name.size());
    line["event"] = json::string_view(event.data(), event.size());
    for (const Field& field : fields) {
        json::value& value = line[json::string_view(field.name.data(), field.name.size())];
        if (const auto* text = std::get_if<std::string_view>(&field.value)) {
            value = json::string(as_utf8(*text));
        } else if (const auto* integer = std::get_if<std::int64_t>(&field.value)) {
            value = *integer;
        } else if (const auto* real = std::get_if<double>(&field.value)) {
            value = *real;
        } else {
            value = std::get<bool>(field.value);
        }
    }
    return json::serialize(line);
}

std::string render_text(std::string_view time, Log::Level level, std::string_view event,
                        const std::vector<Field>& fields) {
    std::string line{time};
    line += ' ';
    line += kLevels[static_cast<std::size_t>(level)];
    line += ' ';
    line += event;
    for (const Field& field : fields) {
        line += ' ';
        line += field.name;
        line += '=';
        if (const auto* text = std::get_if<std::string_view>(&field.value)) {
            append_value(line, as_utf8(*text));
        } else if (const auto* integer = std::get_if<std::int64_t>(&field.value)) {
            line += std::to_string(*integer);
        } else if (const auto* real = std::get_if<double>(&field.value)) {
            std::array<char, 32> number{};
            std::snprintf(number.data(), number.size(), "%.3f", *real);
            line += number.data();
        } else {
            line += std::get<bool>(field.value) ? "yes" : "no";
        }
    }
    return line;
}

/// Opens what a configuration names; the caller closes it. Lines are appended, so that a file moved
/// away (logrotate) or cut is no concern of ours.
int open_log(const LogConfig& settings, const std::string& directory) {
    if (settings.to == "stdout" || settings.to == "stderr") {
        const int standard = settings.to == "stdout" ? STDOUT_FILENO : STDERR_FILENO;
        return ::fcntl(standard, F_DUPFD_CLOEXEC, 0);
    }
    const std::string path =
        (std::filesystem::path(directory) / settings.to.substr(settings.to.find(':') + 1)).string();
    const int file = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    if (file < 0) {
        throw std::runtime_error("the log " + path +
                                 " cannot be written: " + std::generic_category().message(errno));
    }
    return file;
}

}  // namespace

std::string now_text() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
    const std::time_t seconds = milliseconds / 1000;
    std::tm utc{};
    ::gmtime_r(&seconds, &utc);
    std::array<char, 40> text{};
    const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &utc);
    std::snprintf(text.data() + size, text.size() - size, ".%03dZ",
                  static_cast<int>(milliseconds % 1000));
    return text.data();
}

/// Writes each line at once, whole; where to may change under it.
class Log::Sink final : public spdlog::sinks::base_sink<std::mutex> {
public:
    explicit Sink(int descriptor) noexcept : descriptor_{descriptor} {}
    Sink(const Sink&) = delete;
    Sink& operator=(const Sink&) = delete;
    ~Sink() override { ::close(descriptor_); }

    void use(int descriptor) {
        const std::lock_guard lock{mutex_};
        ::close(std::exchange(descriptor_, descriptor));
    }

private:
    void sink_it_(const spdlog::details::log_msg& message) override {
        line_.assign(message.payload.data(), message.payload.size());
        line_ += '\n';
        std::string_view left = line_;
        while (!left.empty()) {
            const ssize_t written = ::write(descriptor_, left.data(), left.size());
            if (written < 0 && errno == EINTR) continue;
            if (written <= 0) return;  // nowhere to say so
            left.remove_prefix(static_cast<std::size_t>(written));
        }
    }
    void flush_() override {}

    int descriptor_;
    std::string line_;
};

Log::Change::Change(config::LogConfig settings, int descriptor) noexcept
    : settings_{std::move(settings)}, descriptor_{descriptor} {}
Log::Change::Change(Change&& other) noexcept
    : settings_{std::move(other.settings_)}, descriptor_{std::exchange(other.descriptor_, -1)} {}
Log::Change::~Change() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

Log::Log(const LogConfig& settings, const std::string& directory)
    : sink_{std::make_shared<Sink>(open_log(settings, directory))},
      logger_{std::make_shared<spdlog::logger>("cmpgate", sink_)},
      level_{settings.level},
      format_{settings.format} {
    logger_->set_level(spdlog::level::trace);  // ours decides
}

Log::~Log() = default;

Log::Change Log::prepare(const LogConfig& settings, const std::string& directory) const {
    return Change{settings, open_log(settings, directory)};
}

void Log::use(Change change) {
    sink_->use(std::exchange(change.descriptor_, -1));
    level_.store(change.settings_.level, std::memory_order_relaxed);
    format_.store(change.settings_.format, std::memory_order_relaxed);
}

void Log::write(Level level, std::string_view event, const std::vector<Field>& fields) {
    if (!wants(level)) return;
    logger_->log(spdlog::level::info,
                 spdlog::string_view_t{render_line(format_.load(std::memory_order_relaxed),
                                                   now_text(), level, event, fields)});
}

void Log::flush() { logger_->flush(); }

std::string render_line(LogConfig::Format format, std::string_view time, Log::Level level,
                        std::string_view event, const std::vector<Field>& fields) {
    return format == LogConfig::Format::json ? render_json(time, level, event, fields)
                                             : render_text(time, level, event, fields);
}

}  // namespace ra::app
