#pragma once

#include <array>
#include <atomic>
#include <boost/container/small_vector.hpp>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "ra/crypto/seal.h"
#include "ra/gateway/ports.h"
#include "ra/store/database.h"
#include "ra/store/guard.h"
#include "ra/store/schema.h"
#include "ra/store/shard.h"
#include "ra/store/store_time.h"

namespace ra::store {

struct JournalSettings {
    std::string path;
    std::string vfs;                   // SQLite's name of it; empty: the system's
    bool guarded = true;               // false (tests): no lock, no mark, no file modes
    std::string boot_id;               // of this boot of the machine; empty: not known
    std::chrono::nanoseconds fence{};  // how long nothing new is begun after a restored backup
    int checkpoint_pages = 1000;       // of log (4 KiB each), then it is copied back
    std::function<void(const std::string&)> alarm;  // what an operator must know; any thread
};

/// One row as it is to be. Rows are named by what they are about; where they stand the journal
/// knows.
struct Write {
    Part part{};
    Fingerprint key;
    std::optional<Bytes> content;  // nullopt: the row goes
    std::int64_t forget_at = 0;    // StoreTime: from then on it may go by itself
    bool last = false;             // nobody will name this row again
    /// Instead of content: asked when it is written, on the journal's thread, so that the last one
    /// written is the last one true; again if it has to be written again.
    std::function<std::optional<Bytes>()> make{};
    /// Instead of `key`: the row with this id goes, and `removed` is told whether there was one.
    std::int64_t id = 0;
    std::shared_ptr<bool> removed{};
};
/// Writes that happen together or not at all.
using Change = boost::container::small_vector<Write, 2>;

/// Rows on a disk: sealed, written by one thread in groups of whatever changes wait (one
/// transaction, one sync for all of them), read only at start. SQLite, because a torn write, a full
/// disk and a schema of five years ago are its trade.
///
/// The write-ahead log is used: a commit is one sequential write and one sync, where a rollback
/// journal needs three syncs. synchronous=FULL (or EXTRA, the same there): "written" means on the
/// disk.
class Journal {
public:
    /// Opens or makes the database, migrates an older one. `sealer`, `clock` and `random` outlive
    /// this; `random` is used by whoever runs run(). Throws std::runtime_error: it is in use, not
    /// ours, newer than this program, sealed under another key, or cannot be read or written.
    Journal(JournalSettings settings, const crypto::Sealer& sealer, const Clock& clock,
            Random& random);

    /// Before run(): every row of a part, oldest first. A row that does not unseal is skipped and
    /// alarmed. `take` yields the row's name, if it will be written again.
    void read(Part part, const std::function<std::optional<Fingerprint>(ByteView content)>& take);

    /// Before run(): at once. Throws DatabaseFault.
    void write_now(Change change);

    /// What happens where a change cannot be written.
    enum class Need : std::uint8_t {
        claim,  // it is dropped: nothing of it may be done
        keep,   // it has happened: it is tried again until it is written
    };
    /// Resumes on the caller's executor once the change is on the disk (true), or cannot be put
    /// there now (false).
    asio::awaitable<bool> write(Change change, Need need);

    /// The same for what nobody waits for.
    void write_later(Change change);

    /// Why no new claim is taken; empty: they are. Any thread.
    [[nodiscard]] std::string_view refuses() const noexcept;

    [[nodiscard]] const StoreTime& time() const noexcept { return time_; }
    /// What there is in the part. Any thread.
    [[nodiscard]] std::size_t rows(Part part) const noexcept {
        return counts_[static_cast<std::size_t>(part)];
    }
    [[nodiscard]] std::uint64_t epoch() const noexcept { return epoch_; }
    /// Before run(): counts every commit there ever was.
    [[nodiscard]] std::uint64_t mark() const noexcept { return mark_; }

    /// Writes what comes until stop(), and then what is left. One thread.
    void run();
    void stop();
    /// Instead of run(), in tests: one group, now. False: there was nothing to do.
    bool pump();

    struct Figures {
        std::uint64_t commits = 0, changes = 0, failures = 0, refused_rows = 0;
        std::chrono::nanoseconds committing{};  // in all
        std::uint64_t octets = 0;               // of the database, without its log
        bool writable = true, fenced = false;
    };
    /// Any thread.
    [[nodiscard]] Figures figures() const noexcept;

private:
    struct Entry {
        Change change;
        Need need{};
        std::function<void(bool)> done;  // null: told already
    };
    struct Place {
        std::int64_t id = 0, revision = 0, forget_at = 0;
    };
    struct HashOf {
        std::size_t operator()(const Fingerprint& key) const noexcept { return key.first; }
    };
    using Places = std::unordered_map<Fingerprint, Place, HashOf>;
    /// What to take back if the group is not committed.
    struct Undo {
        std::vector<std::pair<Part, std::pair<Fingerprint, std::optional<Place>>>> places;
        std::array<std::size_t, kParts> removed{};  // by id
    };

    void open();
    void resume();
    void enqueue(Entry entry);
    void process(std::vector<Entry> entries);
    bool commit(std::vector<Entry>& entries);
    void apply(const Write& write, Undo& undo);
    void save_state(std::uint64_t mark);
    void tidy();
    void forget_due();
    void alarm(const std::string& what) const;
    [[nodiscard]] Places& places(Part part) { return places_[static_cast<std::size_t>(part)]; }

    const JournalSettings settings_;
    const crypto::Sealer& sealer_;
    const Clock& clock_;
    Random& random_;
    std::optional<Guard> guard_;
    std::unique_ptr<Database> database_;
    struct Statements;
    std::shared_ptr<Statements> statements_;

    // Of the thread that runs.
    std::array<Places, kParts> places_;
    std::array<std::int64_t, kParts> last_id_{};
    std::uint64_t mark_ = 0;
    std::vector<Entry> backlog_;
    BootTime tidied_{}, synced_{}, retried_{};
    bool more_due_ = false;

    StoreTime time_;
    std::uint64_t epoch_ = 0;
    std::int64_t fence_until_ = 0;
    std::array<std::atomic<std::size_t>, kParts> counts_{};
    std::atomic<bool> writable_{true};
    std::atomic<std::uint64_t> commits_{0}, changes_{0}, failures_{0}, refused_rows_{0},
        committing_{0}, octets_{0};

    std::mutex mutex_;
    std::condition_variable filled_;
    std::vector<Entry> queue_;
    bool stopping_ = false;
};

/// The rows of a part, by whoever only reads; the store may be in use. Throws std::runtime_error:
/// it cannot be read, is sealed under another key, or a row was changed.
void read_rows(const std::string& path, const crypto::Sealer& sealer, Part part,
               const std::function<void(std::int64_t id, ByteView content)>& take);

}  // namespace ra::store
