#include "ra/app/audit_trail.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "ra/admin/admin.h"
#include "ra/base/random.h"

namespace ra::app {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kMostQueued = 65'536;  // lines; more are not written
constexpr std::size_t kMostBacklog = 64UL << 20U;
constexpr std::size_t kMostTallies = 4096;
constexpr std::uint64_t kCheckpointLines = 1000;
constexpr std::chrono::seconds kMinute{60};
constexpr std::chrono::seconds kRetry{1};

std::string system_text() { return std::generic_category().message(errno); }

/// The last whole line of a file, from its last 64 KiB; and whether the file ends with it.
std::pair<std::string, bool> last_line(int file) {
    struct stat facts{};
    if (::fstat(file, &facts) < 0 || facts.st_size == 0) return {{}, true};
    std::string tail(static_cast<std::size_t>(std::min<off_t>(facts.st_size, 64 * 1024)), '\0');
    const off_t from = facts.st_size - static_cast<off_t>(tail.size());
    const ssize_t got = ::pread(file, tail.data(), tail.size(), from);
    tail.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
    const auto end = tail.rfind('\n');
    if (end == std::string::npos) return {{}, false};
    const auto begin = end == 0 ? std::string::npos : tail.rfind('\n', end - 1);
    const std::size_t at = begin == std::string::npos ? 0 : begin + 1;
    return {tail.substr(at, end - at), end + 1 == tail.size()};
}

bool was_moved(const std::string& path, int file) {
    struct stat there{};
    struct stat ours{};
    return ::stat(path.c_str(), &there) < 0 || ::fstat(file, &ours) < 0 ||
           there.st_ino != ours.st_ino || there.st_dev != ours.st_dev;
}

std::string new_boot() { return to_hex(SystemRandom{}.octets(8)); }

}  // namespace

AuditTrail::AuditTrail(Settings settings, Log& log)
    : settings_{std::move(settings)},
      log_{log},
      chain_{settings_.key.reveal(), settings_.node, new_boot()} {
    open_file();
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);  // signals are the main thread's
    thread_ = std::thread{[this] { serve(); }};
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void AuditTrail::open_file() {
    const int file =
        ::open(settings_.path.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
               S_IRUSR | S_IWUSR);
    if (file < 0)
        throw std::runtime_error("the audit trail " + settings_.path + ": " + system_text());
    if (file_ >= 0) ::close(file_);
    file_ = file;
    const auto [line, is_whole] = last_line(file_);
    // A file of ours that was moved away ends with what we know; another's end says its own.
    const std::string previous{
        line.empty() && chain_.number() > 0 ? chain_.mac() : std::string(mac_of_line(line))};
    // A crash may have left half a line: it ends here, and the next one begins anew.
    if (!append((is_whole ? "" : "\n") + chain_.begin(now_text(), previous)))
        throw std::runtime_error("the audit trail " + settings_.path + ": " + system_text());
}

bool AuditTrail::append(const std::string& lines) {
    struct stat before{};
    if (::fstat(file_, &before) < 0) return false;
    std::string_view left = lines;
    while (!left.empty()) {
        const ssize_t sent = ::write(file_, left.data(), left.size());
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) break;
        left.remove_prefix(static_cast<std::size_t>(sent));
    }
    if (left.empty() && ::fdatasync(file_) == 0) return true;
    // Whole or not at all: what is tried again must not stand there twice.
    const int why = errno;
    if (::ftruncate(file_, before.st_size) < 0) return false;
    errno = why;
    return false;
}

std::string AuditTrail::render(const std::vector<Entry>& entries) {
    std::string lines;
    const std::string time = now_text();
    for (const Entry& entry : entries) lines += chain_.line(time, entry.kind, entry.fields);
    since_checkpoint_ += entries.size();
    return lines;
}

std::string AuditTrail::render_tallies() {
    std::map<std::pair<std::string, std::string>, Tally> tallies;
    {
        const std::lock_guard lock{mutex_};
        tallies.swap(tallies_);
    }
    std::vector<Entry> entries;
    for (const auto& [of, tally] : tallies) {
        entries.push_back({"unauthenticated",
                           ",\"source\":" + admin::json_text(of.first) +
                               ",\"rule\":" + admin::json_text(of.second) + ",\"count\":" +
                               std::to_string(tally.count) + ",\"first\":\"" + tally.first + "\"",
                           {}});
    }
    return render(entries);
}

std::string AuditTrail::render_checkpoint() {
    const std::uint64_t number = chain_.number();
    const std::string mac = chain_.mac();
    const std::string text = checkpoint_text(chain_.node(), chain_.boot(), number, mac);
    std::string signature;
    crypto::CredentialPtr signer;
    {
        const std::lock_guard lock{mutex_};
        signer = settings_.signer;
    }
    if (signer != nullptr) {
        const auto made = signer->key->sign(as_bytes(text));
        if (made) signature = to_hex(signer->key->algorithm()) + "." + to_hex(*made);
    }
    since_checkpoint_ = 0;
    // The log is where it stands for whoever cuts this file.
    log_.write(Log::Level::warning, "audit_checkpoint",
               {{"node", std::string_view{chain_.node()}},
                {"boot", std::string_view{chain_.boot()}},
                {"seq", static_cast<std::int64_t>(number)},
                {"mac", std::string_view{mac}},
                {"signature", std::string_view{signature}}});
    return chain_.line(now_text(), "checkpoint",
                       ",\"of\":" + std::to_string(number) + ",\"of_mac\":\"" + mac +
                           "\",\"signature\":\"" + signature + "\"");
}

void AuditTrail::say_failure(const std::string& why) {
    failures_.fetch_add(1, std::memory_order_relaxed);
    if (failing_.exchange(true)) return;
    log_.write(Log::Level::error, "audit_failed",
               {{"file", std::string_view{settings_.path}},
                {"detail", std::string_view{why}},
                {"answers", settings_.refuse_on_failure ? "withheld" : "given"}});
}

void AuditTrail::serve() {
    BootTime minute = BootClock::now() + kMinute;
    for (bool running = true; running;) {
        std::vector<Entry> entries;
        bool reopen = false;
        {
            std::unique_lock lock{mutex_};
            const auto patience = failing_ ? std::chrono::nanoseconds{kRetry}
                                           : std::chrono::nanoseconds{minute - BootClock::now()};
            changed_.wait_for(lock, patience,
                              [this] { return stopping_ || reopen_ || !queue_.empty(); });
            entries.swap(queue_);
            reopen = std::exchange(reopen_, false);
            running = !stopping_;
        }
        if (reopen && was_moved(settings_.path, file_)) {
            try {
                open_file();
            } catch (const std::runtime_error& fault) {
                say_failure(fault.what());
            }
        }
        std::string lines = render(entries);
        if (BootClock::now() >= minute || !running) {
            lines += render_tallies();
            minute = BootClock::now() + kMinute;
            if (since_checkpoint_ > 0) lines += render_checkpoint();
        } else if (since_checkpoint_ >= kCheckpointLines) {
            lines += render_checkpoint();
        }
        backlog_ += lines;
        const bool good = backlog_.empty() || append(backlog_);
        if (good) {
            written_.fetch_add(entries.size(), std::memory_order_relaxed);
            backlog_.clear();
            if (failing_.exchange(false))
                log_.write(Log::Level::warning, "audit_works_again",
                           {{"file", std::string_view{settings_.path}}});
        } else {
            say_failure(system_text());
            // Numbers that are missing for good tell it: better than memory without end.
            if (backlog_.size() > kMostBacklog) backlog_.clear();
        }
        for (const Entry& entry : entries) {
            if (entry.done) entry.done(good || !settings_.refuse_on_failure);
        }
    }
}

asio::awaitable<bool> AuditTrail::write(std::string_view kind, std::string fields) {
    const auto executor = co_await asio::this_coro::executor;
    co_return co_await asio::async_initiate<decltype(asio::use_awaitable), void(bool)>(
        [this, &executor, kind, &fields](auto handler) {
            // std::function wants copies; the handler has none.
            auto shared = std::make_shared<decltype(handler)>(std::move(handler));
            auto done = [shared, executor](bool good) {
                asio::post(executor, [shared, good] { std::move (*shared)(good); });
            };
            bool taken = false;
            {
                const std::lock_guard lock{mutex_};
                taken = !stopping_ && queue_.size() < kMostQueued;
                if (taken) queue_.push_back({kind, std::move(fields), done});
            }
            if (taken) {
                changed_.notify_one();
            } else {
                done(!settings_.refuse_on_failure);
            }
        },
        asio::use_awaitable);
}

void AuditTrail::aggregate(std::string_view source, std::string_view rule) {
    const std::lock_guard lock{mutex_};
    std::pair<std::string, std::string> of{source, rule};
    if (tallies_.size() >= kMostTallies && !tallies_.contains(of)) of.first = "others";
    Tally& tally = tallies_[std::move(of)];
    if (tally.count++ == 0) tally.first = now_text();
}

void AuditTrail::sign_with(crypto::CredentialPtr signer) {
    const std::lock_guard lock{mutex_};
    settings_.signer = std::move(signer);
}

void AuditTrail::reopen() {
    const std::lock_guard lock{mutex_};
    reopen_ = true;
    changed_.notify_one();
}

void AuditTrail::stop() {
    if (!thread_.joinable()) return;
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
    }
    changed_.notify_one();
    thread_.join();
    ::close(std::exchange(file_, -1));
}

void AuditTrail::add_samples(std::vector<metrics::Sample>& samples) const {
    samples.push_back({"cmpgate_audit_lines_total",
                       "Lines of the audit trail that are on disk.",
                       false,
                       {},
                       static_cast<double>(written_.load())});
    samples.push_back({"cmpgate_audit_failures_total",
                       "Times lines could not be written.",
                       false,
                       {},
                       static_cast<double>(failures_.load())});
}

}  // namespace ra::app
