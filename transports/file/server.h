#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "ra/base/random.h"
#include "ra/exchange.h"
#include "transports/common/announcements.h"
#include "transports/common/count.h"
#include "transports/common/worker.h"
#include "transports/file/directory.h"

namespace transports::file {

using common::Count;

struct FileServerCounters {
    Count taken;      // files taken up
    Count answered;   // answers put into `out`
    Count failed;     // files moved to `failed`
    Count under_way;  // gauge
    Count full;       // gauge: 1 while `out` or `failed` has no room, and nothing is taken
};

struct FileServerSettings {
    ra::ListenerId listener{};
    std::string label;  // of all its messages
    std::size_t max_message = 256 * 1024;
    std::size_t at_once = 64;                         // messages under way; the others wait in `in`
    std::chrono::milliseconds receive_time{10'000};   // a file that is not whole is waited for
    std::chrono::milliseconds exchange_time{60'000};  // an arrival's deadline
    std::chrono::milliseconds rescan{60'000};         // without a word from the kernel
};

/// A spool directory as a listener (RFC 9483 6.3): each file in `in` is one message, its answer
/// goes to `out` under its name, what is not taken to `failed` with the reason beside it.
///
/// A file that is taken is moved to `work` and stays there until its answer is on the disk: what a
/// crash interrupts is taken up again at the next start, and is then a repetition, which an
/// exchange answers as such. Files are taken in the order in which they were last written to.
class FileServer final : public common::Announcements {
public:
    struct Seat {
        common::Worker& worker;
        ra::Exchange& exchange;
    };
    /// Told of each file that goes to `failed`, and (no file) of what is wrong with the spool.
    using Report = std::function<void(std::string_view file, std::string_view why)>;

    /// Opens the spool; throws std::runtime_error. Workers and exchanges outlive what is under way,
    /// the others this.
    FileServer(const std::string& path, FileServerSettings settings, std::vector<Seat> seats,
               FileServerCounters& counters, Report report);
    FileServer(const FileServer&) = delete;
    FileServer& operator=(const FileServer&) = delete;

    /// Serves until end(): on a thread of its own, which waits for the disk.
    void run();

    /// The others from any thread. Takes files from now on; no more; ends run() once the answers
    /// that have come are on the disk.
    void start();
    void stop();
    void end();
    void use(FileServerSettings settings);
    /// Put into `out` as "announcement-NUMBER.pki".
    void publish(ra::Bytes message) override;
    /// Stopped, and nothing is under way.
    [[nodiscard]] bool deserted() const noexcept;

private:
    /// What workers and run() tell each other.
    struct Mailbox;
    struct Waiting {
        ra::BootTime first;  // seen
        ra::BootTime again;  // to be looked at
    };

    static boost::asio::awaitable<void> exchange(std::shared_ptr<Mailbox> mailbox, Seat seat,
                                                 std::string name,
                                                 std::shared_ptr<ra::Arrival> arrival);
    void watch();
    void take_up_again();
    [[nodiscard]] bool take();
    void examine(const std::string& name);
    void send(const std::string& name, ra::Bytes der);
    void answer(const std::string& name, const ra::Reply& reply);
    void put_announcement(const ra::Bytes& message);
    void fail(const Directory& from, const std::string& name, std::string_view why);
    void later(const std::string& name, std::chrono::milliseconds after);
    void look_again();
    [[nodiscard]] bool has_room();
    void wait();

    const Spool spool_;
    const std::vector<Seat> seats_;
    FileServerCounters& counters_;
    const Report report_;
    const std::shared_ptr<Mailbox> mailbox_;
    common::OwnedDescriptor inotify_;
    ra::SystemRandom random_;
    FileServerSettings settings_;  // run()'s; use() leaves new ones in the mailbox
    std::map<std::string, Waiting> waiting_;
    std::size_t under_way_ = 0;
    std::size_t next_seat_ = 0;
    bool look_ = true;  // there may be something in `in`
    bool full_ = false;
    std::atomic<bool> idle_{true};
};

}  // namespace transports::file
