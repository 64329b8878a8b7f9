#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "metrics/prometheus_text.h"
#include "ra/app/audit_chain.h"
#include "ra/app/log.h"
#include "ra/base/secret.h"
#include "ra/crypto/signer.h"

namespace ra::app {

/// The audit trail of the process (S-42): lines of all workers, written and synced together by a
/// thread of its own. "Written" means synced.
class AuditTrail {
public:
    struct Settings {
        std::string path;
        Secret key;
        std::string node;
        bool refuse_on_failure = true;
        crypto::CredentialPtr signer;  // of checkpoints; null: nobody
    };
    /// Opens, or goes on with, the file. Throws std::runtime_error. `log` outlives this.
    AuditTrail(Settings settings, Log& log);
    AuditTrail(const AuditTrail&) = delete;
    AuditTrail& operator=(const AuditTrail&) = delete;
    ~AuditTrail() { stop(); }

    /// False: lines could not be written, and nothing may happen that cannot be written down.
    [[nodiscard]] bool usable() const noexcept {
        return !settings_.refuse_on_failure || !failing_.load(std::memory_order_relaxed);
    }
    /// Writes a line (AuditChain::line) and resumes when it is on disk. False: it is not (yet), and
    /// that matters.
    [[nodiscard]] boost::asio::awaitable<bool> write(std::string_view kind, std::string fields);
    /// Counts a message that nobody is answerable for, refused before its sender was known: one
    /// line for each source, rule and minute.
    void aggregate(std::string_view source, std::string_view rule);

    /// Checkpoints are signed by this one from now on (null: by nobody). From the main thread.
    void sign_with(crypto::CredentialPtr signer);
    /// From the main thread: goes on in a new file if the old one was moved away (logrotate).
    void reopen();
    /// Writes what there is, and ends with a checkpoint.
    void stop();

    void add_samples(std::vector<metrics::Sample>& samples) const;

private:
    struct Entry {
        std::string_view kind;
        std::string fields;
        std::function<void(bool)> done;  // empty: nobody waits
    };
    struct Tally {
        std::uint64_t count = 0;
        std::string first;
    };

    void serve();
    void open_file();
    /// On the thread: writes these lines and syncs; false: nothing of it is in the file.
    bool append(const std::string& lines);
    [[nodiscard]] std::string render(const std::vector<Entry>& entries);
    [[nodiscard]] std::string render_tallies();
    [[nodiscard]] std::string render_checkpoint();
    void say_failure(const std::string& why);

    Settings settings_;
    Log& log_;
    AuditChain chain_;
    int file_ = -1;
    std::string backlog_;  // lines that could not be written yet: they keep their numbers
    std::uint64_t since_checkpoint_ = 0;

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<Entry> queue_;
    std::map<std::pair<std::string, std::string>, Tally> tallies_;  // by source and rule
    bool reopen_ = false;
    bool stopping_ = false;
    std::atomic<bool> failing_{false};
    std::atomic<std::uint64_t> written_{0}, failures_{0};
    std::thread thread_;
};

}  // namespace ra::app
