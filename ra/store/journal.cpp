#include "ra/store/journal.h"

#include <ranges>
#include <utility>

#include "ra/store/packing.h"

namespace ra::store {
namespace {

using std::chrono::seconds;

constexpr std::int64_t kForgetAtOnce = 2048;  // rows a commit may forget
constexpr seconds kForgetLate{60};  // what a record's end changes elsewhere is written by then
constexpr seconds kTidyEvery{1};
constexpr seconds kSyncMarkEvery{5};
constexpr std::uint8_t kStateForm = 1;

std::size_t index_of(Part part) noexcept { return static_cast<std::size_t>(part); }

/// A row's octets are good for this row in this revision and nowhere else (S-24).
Bytes binding(Part part, std::int64_t id, std::int64_t revision) {
    return Packer{}.text(name_of(part)).signed_number(id).signed_number(revision).take();
}

Bytes state_binding(std::uint64_t mark) { return Packer{}.text("state").number(mark).take(); }

}  // namespace

struct Journal::Statements {
    struct OfPart {
        OfPart(Database& database, const std::string& name)
            : insert{database, "INSERT INTO " + name + " VALUES (?1, ?2, ?3, ?4)"},
              update{database, "UPDATE " + name +
                                   " SET revision = ?2, forget_at = ?3, sealed = ?4 WHERE id = ?1"},
              remove{database, "DELETE FROM " + name + " WHERE id = ?1"} {}
        Statement insert, update, remove;
    };
    explicit Statements(Database& database)
        : state{database, "REPLACE INTO state VALUES (1, ?1, ?2)"},
          due{database, "SELECT 1 FROM transactions WHERE forget_at <= ?1 LIMIT 1"},
          forget{database,
                 "DELETE FROM transactions WHERE id IN"
                 " (SELECT id FROM transactions WHERE forget_at <= ?1 LIMIT ?2)"} {
        for (std::size_t i = 0; i < kParts; ++i)
            parts.push_back(
                std::make_unique<OfPart>(database, std::string(name_of(static_cast<Part>(i)))));
    }
    OfPart& of(Part part) { return *parts[index_of(part)]; }

    std::vector<std::unique_ptr<OfPart>> parts;
    Statement state, due, forget;
};

Journal::Journal(JournalSettings settings, const crypto::Sealer& sealer, const Clock& clock,
                 Random& random)
    : settings_{std::move(settings)}, sealer_{sealer}, clock_{clock}, random_{random} {
    if (settings_.guarded) {
        guard_.emplace(settings_.path + ".guard");
        // SQLite gives its log the mode of the database.
        make_private_file(settings_.path);
    }
    open();
    resume();
}

void Journal::open() {
    database_ = std::make_unique<Database>(settings_.path, settings_.vfs);
    Database& database = *database_;
    // FULL, and the directory too where a rollback journal goes (once, when the log is introduced):
    // one that came back after a power failure would undo what the log holds.
    database.execute("PRAGMA synchronous = EXTRA");
    // Who reads along (`cmpgate audit`) needs no lock of ours; who writes has the guard's.
    if (database.text("PRAGMA journal_mode = WAL") != "wal")
        throw std::runtime_error(settings_.path + ": cannot keep a write-ahead log there");
    database.execute("PRAGMA temp_store = MEMORY");
    database.execute("PRAGMA trusted_schema = OFF");
    prepare_schema(database, settings_.path);
    statements_ = std::make_shared<Statements>(database);
}

/// Where time and epoch go on from; the first thing this run writes.
void Journal::resume() {
    Moment last;
    std::optional<std::uint64_t> mark;
    {
        Statement statement{*database_, "SELECT mark, sealed FROM state WHERE id = 1"};
        if (statement.step()) {
            mark = static_cast<std::uint64_t>(statement.integer(0));
            const auto plain = sealer_.unseal(statement.octets(1), state_binding(*mark));
            if (!plain) {
                throw std::runtime_error(settings_.path +
                                         ": store.key does not open it: another key, or it was "
                                         "changed by somebody else than cmpgate");
            }
            Unpacker from{*plain};
            (void)from.number<std::uint8_t>();
            epoch_ = from.number<std::uint64_t>();
            fence_until_ = from.signed_number();
            last.store = from.signed_number();
            last.wall = from.signed_number();
            last.boot = from.signed_number();
            last.boot_id = from.text();
            const auto parts = from.number<std::uint8_t>();
            for (std::size_t i = 0; i < parts; ++i) {
                const auto count = from.number<std::uint64_t>();
                if (i < kParts) counts_[i] = count;
            }
            if (!from.complete())
                throw std::runtime_error(settings_.path + ": its state cannot be read");
            while (statement.step()) {
            }
        } else if (database_->integer("SELECT count(*) FROM transactions") != 0) {
            throw std::runtime_error(settings_.path + ": its state is missing");
        }
    }
    time_ = mark ? last.resume(clock_, settings_.boot_id) : StoreTime{0, clock_.boot_now()};
    mark_ = mark.value_or(0);
    // From here on an empty guard file is one that somebody emptied.
    if (!mark && guard_ && !guard_->mark() && !guard_->write(0, true))
        throw std::runtime_error(settings_.path + ".guard: cannot be written");
    const std::uint64_t seen = guard_ ? guard_->mark().value_or(0) : 0;
    const bool restored = mark && guard_ && (!guard_->mark() || seen > mark_);
    if (restored || (!mark && seen != 0)) {
        ++epoch_;
        mark_ = std::max(mark_, seen);
        fence_until_ = time_.of(clock_.boot_now() + settings_.fence);
        alarm(
            "it was put back from a backup, or its guard file is gone: what happened since is not "
            "known; secrets of limited use are locked, look through the others (`cmpgate secret "
            "list`), and nothing new is begun for a while (S-24)");
    }
    for (std::size_t i = 0; i < kParts; ++i) {
        last_id_[i] =
            database_->integer("SELECT max(id) FROM " + std::string(name_of(static_cast<Part>(i))));
    }
    Database::Transaction transaction{*database_};
    save_state(mark_ + 1);
    transaction.commit();
    ++mark_;
    if (guard_ && !guard_->write(mark_, true))
        throw std::runtime_error(settings_.path + ".guard: cannot be written");
    synced_ = tidied_ = clock_.boot_now();
    octets_ = static_cast<std::uint64_t>(database_->integer("PRAGMA page_count") *
                                         database_->integer("PRAGMA page_size"));
}

void Journal::read(Part part,
                   const std::function<std::optional<Fingerprint>(ByteView content)>& take) {
    const std::string name{name_of(part)};
    Statement statement{*database_,
                        "SELECT id, revision, forget_at, sealed FROM " + name + " ORDER BY id"};
    std::size_t found = 0;
    std::size_t refused = 0;
    while (statement.step()) {
        ++found;
        const Place place{statement.integer(0), statement.integer(1), statement.integer(2)};
        auto plain = sealer_.unseal(statement.octets(3), binding(part, place.id, place.revision));
        if (!plain) {
            ++refused;
            continue;
        }
        if (const auto key = take(*plain)) places(part)[*key] = place;
        wipe(plain->data(), plain->size());
    }
    refused_rows_ += refused;
    const std::size_t wanted = counts_[index_of(part)].exchange(found);
    if (refused == 0 && found == wanted) return;
    alarm(name + ": " + std::to_string(refused) + " rows are not as cmpgate wrote them, " +
          std::to_string(found) + " are there and " + std::to_string(wanted) +
          " should be: the store was edited (S-24)");
    if (part == Part::transactions)
        fence_until_ = std::max(fence_until_, time_.of(clock_.boot_now() + settings_.fence));
}

/// All of them or none.
bool Journal::commit(std::vector<Entry>& entries) {
    const BootTime began = clock_.boot_now();
    Undo undo;
    std::size_t writes = 0;
    try {
        Database::Transaction transaction{*database_};
        for (const Entry& entry : entries) {
            for (const Write& write : entry.change) {
                apply(write, undo);
                ++writes;
            }
        }
        save_state(mark_ + 1);
        transaction.commit();
    } catch (const DatabaseFault& fault) {
        for (std::size_t i = 0; i < kParts; ++i) counts_[i] += undo.removed[i];
        for (const auto& [part, was] : undo.places | std::views::reverse) {
            const bool is_there = places(part).contains(was.first);
            counts_[index_of(part)] += (was.second ? 1U : 0U) - (is_there ? 1U : 0U);
            if (was.second) {
                places(part)[was.first] = *was.second;
            } else {
                places(part).erase(was.first);
            }
        }
        ++failures_;
        if (writable_.exchange(false)) {
            alarm(
                std::string("it cannot be written, requests that change something are refused: ") +
                fault.what());
        }
        return false;
    }
    ++mark_;
    ++commits_;
    changes_ += writes;
    committing_ += static_cast<std::uint64_t>((clock_.boot_now() - began).count());
    for (const Entry& entry : entries) {
        for (const Write& write : entry.change) {
            if (write.last) places(write.part).erase(write.key);
        }
    }
    return true;
}

void Journal::apply(const Write& write, Undo& undo) {
    Places& known = places(write.part);
    Statements::OfPart& statements = statements_->of(write.part);
    if (write.id != 0) {
        statements.remove.bind(1, write.id).run();
        const auto removed = static_cast<std::size_t>(database_->changes());
        counts_[index_of(write.part)] -= removed;
        undo.removed[index_of(write.part)] += removed;
        if (write.removed != nullptr) *write.removed = removed != 0;
        return;
    }
    std::optional<Bytes> made;
    if (write.make) made = write.make();
    const std::optional<Bytes>& content = write.make ? made : write.content;
    const auto found = known.find(write.key);
    const bool is_new = found == known.end();
    if (is_new && !content) return;
    undo.places.push_back(
        {write.part, {write.key, is_new ? std::nullopt : std::optional<Place>{found->second}}});
    if (!content) {
        statements.remove.bind(1, found->second.id).run();
        known.erase(found);
        --counts_[index_of(write.part)];
        return;
    }
    Place place = is_new ? Place{++last_id_[index_of(write.part)], 0, 0} : found->second;
    ++place.revision;
    place.forget_at = write.forget_at;
    const Bytes sealed =
        sealer_.seal(*content, binding(write.part, place.id, place.revision), random_);
    if (made) wipe(made->data(), made->size());
    Statement& statement = is_new ? statements.insert : statements.update;
    statement.bind(1, place.id)
        .bind(2, place.revision)
        .bind(3, place.forget_at)
        .bind(4, sealed)
        .run();
    known[write.key] = place;
    if (is_new) ++counts_[index_of(write.part)];
}

void Journal::save_state(std::uint64_t mark) {
    Packer packer;
    packer.number(kStateForm)
        .number(epoch_)
        .signed_number(fence_until_)
        .signed_number(time_.of(clock_.boot_now()))
        .signed_number(clock_.wall_now().time_since_epoch().count())
        .signed_number(clock_.boot_now().time_since_epoch().count())
        .text(settings_.boot_id)
        .number(static_cast<std::uint8_t>(kParts));
    for (const auto& count : counts_) packer.number(std::uint64_t{count});
    const Bytes sealed = sealer_.seal(packer.take(), state_binding(mark), random_);
    statements_->state.bind(1, static_cast<std::int64_t>(mark)).bind(2, sealed).run();
}

/// Between commits, when nobody waits for it: old rows, the log, the mark.
void Journal::tidy() {
    const BootTime now = clock_.boot_now();
    try {
        if (now - tidied_ >= kTidyEvery || more_due_) {
            tidied_ = now;
            if (writable_) forget_due();
            octets_ = static_cast<std::uint64_t>(database_->integer("PRAGMA page_count") *
                                                 database_->integer("PRAGMA page_size"));
        }
        if (database_->log_pages() >= settings_.checkpoint_pages) database_->checkpoint();
    } catch (const DatabaseFault& fault) {
        ++failures_;
        alarm(std::string("tidying up: ") + fault.what());
    }
    if (!guard_ || guard_->mark() == mark_) return;
    const bool sync = now - synced_ >= kSyncMarkEvery;
    if (sync) synced_ = now;
    if (!guard_->write(mark_, sync)) alarm("its guard file cannot be written");
}

void Journal::forget_due() {
    const std::int64_t now = time_.of(clock_.boot_now() - kForgetLate);
    const bool any = statements_->due.bind(1, now).step();
    while (any && statements_->due.step()) {
    }
    more_due_ = false;
    if (!any) return;
    Database::Transaction transaction{*database_};
    statements_->forget.bind(1, now).bind(2, kForgetAtOnce).run();
    const std::int64_t gone = database_->changes();
    counts_[index_of(Part::transactions)] -= static_cast<std::size_t>(gone);
    try {
        save_state(mark_ + 1);
        transaction.commit();
    } catch (const DatabaseFault&) {
        counts_[index_of(Part::transactions)] += static_cast<std::size_t>(gone);
        throw;
    }
    ++mark_;
    more_due_ = gone == kForgetAtOnce;
    std::erase_if(places(Part::transactions),
                  [now](const auto& place) { return place.second.forget_at <= now; });
}

void Journal::alarm(const std::string& what) const {
    if (settings_.alarm) settings_.alarm(settings_.path + ": " + what);
}

Journal::Figures Journal::figures() const noexcept {
    Figures figures;
    figures.commits = commits_;
    figures.changes = changes_;
    figures.failures = failures_;
    figures.refused_rows = refused_rows_;
    figures.committing = std::chrono::nanoseconds{committing_.load()};
    figures.octets = octets_;
    figures.writable = writable_;
    figures.fenced = refuses() == "replay fence";
    return figures;
}

void read_rows(const std::string& path, const crypto::Sealer& sealer, Part part,
               const std::function<void(std::int64_t id, ByteView content)>& take) {
    Database database{path, {}, Database::Access::read};
    check_schema(database, path);
    Statement statement{database, "SELECT id, revision, sealed FROM " + std::string(name_of(part)) +
                                      " ORDER BY id"};
    while (statement.step()) {
        const std::int64_t id = statement.integer(0);
        const auto plain =
            sealer.unseal(statement.octets(2), binding(part, id, statement.integer(1)));
        if (!plain) {
            throw std::runtime_error(path + ": " + std::string(name_of(part)) + " " +
                                     std::to_string(id) +
                                     " was changed, or store.key is another one's");
        }
        take(id, *plain);
    }
}

}  // namespace ra::store
