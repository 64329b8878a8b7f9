#include "tests/support/ram_vfs.h"

#include <sqlite3.h>

#include <algorithm>
#include <cstring>
#include <new>

namespace test {
namespace {

constexpr int kSector = 512;

void redo(RamVfs::Files& files, const RamVfs::Operation& operation) {
    using Kind = RamVfs::Operation::Kind;
    switch (operation.kind) {
        case Kind::write: {
            ra::Bytes& file = files[operation.file];
            const std::size_t end = operation.at + operation.octets.size();
            if (file.size() < end) file.resize(end);
            std::copy(operation.octets.begin(), operation.octets.end(),
                      file.begin() + static_cast<std::ptrdiff_t>(operation.at));
            break;
        }
        case Kind::truncate: {
            ra::Bytes& file = files[operation.file];
            if (file.size() > operation.at) file.resize(operation.at);
            break;
        }
        case Kind::remove:
            files.erase(operation.file);
            break;
        case Kind::sync:
            files[operation.file];
            break;
    }
}

}  // namespace

struct RamVfs::State {
    std::string name;
    sqlite3_vfs vfs{};
    mutable std::mutex mutex;
    Files files;
    bool recording = false;
    std::vector<Operation> operations;
    std::map<std::string, std::vector<std::unique_ptr<std::uint8_t[]>>> shared;
    std::atomic<bool> full{false}, broken{false};
    std::atomic<std::uint64_t> syncs{0};

    void did(Operation operation) {
        redo(files, operation);
        if (recording) operations.push_back(std::move(operation));
    }
};

namespace {

using State = RamVfs::State;
using Kind = RamVfs::Operation::Kind;

struct File {
    sqlite3_file base;
    State* state;
    std::string* name;
    bool temporary;
};

File* of(sqlite3_file* file) { return reinterpret_cast<File*>(file); }
State* of(sqlite3_vfs* vfs) { return static_cast<State*>(vfs->pAppData); }

int close_file(sqlite3_file* file) noexcept {
    File* const f = of(file);
    if (f->temporary) {
        const std::lock_guard lock{f->state->mutex};
        f->state->files.erase(*f->name);
    }
    delete f->name;
    return SQLITE_OK;
}

int read_file(sqlite3_file* file, void* to, int amount, sqlite3_int64 at) noexcept {
    File* const f = of(file);
    const std::lock_guard lock{f->state->mutex};
    const ra::Bytes& content = f->state->files[*f->name];
    const auto offset = static_cast<std::size_t>(at);
    const auto wanted = static_cast<std::size_t>(amount);
    const std::size_t there =
        offset < content.size() ? std::min(wanted, content.size() - offset) : 0;
    if (there != 0) std::memcpy(to, content.data() + offset, there);
    std::memset(static_cast<char*>(to) + there, 0, wanted - there);
    return there == wanted ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

int write_file(sqlite3_file* file, const void* from, int amount, sqlite3_int64 at) noexcept {
    File* const f = of(file);
    if (f->state->full) return SQLITE_FULL;
    const auto* octets = static_cast<const std::uint8_t*>(from);
    const std::lock_guard lock{f->state->mutex};
    f->state->did({Kind::write, *f->name, static_cast<std::uint64_t>(at),
                   ra::Bytes(octets, octets + amount), false});
    return SQLITE_OK;
}

int truncate_file(sqlite3_file* file, sqlite3_int64 size) noexcept {
    File* const f = of(file);
    const std::lock_guard lock{f->state->mutex};
    f->state->did({Kind::truncate, *f->name, static_cast<std::uint64_t>(size), {}, false});
    return SQLITE_OK;
}

int sync_file(sqlite3_file* file, int) noexcept {
    File* const f = of(file);
    if (f->state->broken) return SQLITE_IOERR_FSYNC;
    ++f->state->syncs;
    const std::lock_guard lock{f->state->mutex};
    f->state->did({Kind::sync, *f->name, 0, {}, false});
    return SQLITE_OK;
}

int file_size(sqlite3_file* file, sqlite3_int64* size) noexcept {
    File* const f = of(file);
    const std::lock_guard lock{f->state->mutex};
    *size = static_cast<sqlite3_int64>(f->state->files[*f->name].size());
    return SQLITE_OK;
}

int no_lock(sqlite3_file*, int) noexcept { return SQLITE_OK; }
int check_lock(sqlite3_file*, int* reserved) noexcept {
    *reserved = 0;
    return SQLITE_OK;
}
int control(sqlite3_file*, int, void*) noexcept { return SQLITE_NOTFOUND; }
int sector_size(sqlite3_file*) noexcept { return kSector; }
int characteristics(sqlite3_file*) noexcept { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }

int shm_map(sqlite3_file* file, int region, int size, int extend, void volatile** to) noexcept {
    File* const f = of(file);
    const std::lock_guard lock{f->state->mutex};
    auto& regions = f->state->shared[*f->name];
    const auto wanted = static_cast<std::size_t>(region);
    *to = nullptr;
    if (wanted >= regions.size() && extend == 0) return SQLITE_OK;
    while (regions.size() <= wanted)
        regions.push_back(std::make_unique<std::uint8_t[]>(static_cast<std::size_t>(size)));
    *to = regions[wanted].get();
    return SQLITE_OK;
}
int shm_lock(sqlite3_file*, int, int, int) noexcept { return SQLITE_OK; }
void shm_barrier(sqlite3_file*) noexcept { std::atomic_thread_fence(std::memory_order_seq_cst); }
int shm_unmap(sqlite3_file* file, int remove) noexcept {
    File* const f = of(file);
    const std::lock_guard lock{f->state->mutex};
    if (remove != 0) f->state->shared.erase(*f->name);
    return SQLITE_OK;
}

const sqlite3_io_methods kMethods = {
    2,        close_file,  read_file,  write_file, truncate_file, sync_file,       file_size,
    no_lock,  no_lock,     check_lock, control,    sector_size,   characteristics, shm_map,
    shm_lock, shm_barrier, shm_unmap,  nullptr,    nullptr};

int open_file(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags,
              int* out_flags) noexcept {
    static std::atomic<unsigned> temporaries{0};
    State* const state = of(vfs);
    File* const f = ::new (static_cast<void*>(file)) File{};
    const std::string known =
        name != nullptr ? std::string(name) : "temporary-" + std::to_string(++temporaries);
    const std::lock_guard lock{state->mutex};
    if ((flags & SQLITE_OPEN_CREATE) == 0 && !state->files.contains(known)) return SQLITE_CANTOPEN;
    state->files[known];
    f->base.pMethods = &kMethods;
    f->state = state;
    // NOLINTNEXTLINE(bugprone-unhandled-exception-at-new): a test without memory may end.
    f->name = new std::string(known);
    f->temporary = name == nullptr || (flags & SQLITE_OPEN_DELETEONCLOSE) != 0;
    if (out_flags != nullptr) *out_flags = flags;
    return SQLITE_OK;
}

int remove_file(sqlite3_vfs* vfs, const char* name, int sync_directory) noexcept {
    State* const state = of(vfs);
    const std::lock_guard lock{state->mutex};
    if (!state->files.contains(name)) return SQLITE_IOERR_DELETE_NOENT;
    state->did({Kind::remove, name, 0, {}, sync_directory != 0});
    return SQLITE_OK;
}

int access_file(sqlite3_vfs* vfs, const char* name, int, int* there) noexcept {
    State* const state = of(vfs);
    const std::lock_guard lock{state->mutex};
    const auto found = state->files.find(name);
    // As unix does: an empty journal is none.
    *there = found != state->files.end() && !found->second.empty() ? 1 : 0;
    return SQLITE_OK;
}

int full_path(sqlite3_vfs*, const char* name, int size, char* to) noexcept {
    sqlite3_snprintf(size, to, "%s", name);
    return SQLITE_OK;
}

}  // namespace

RamVfs::RamVfs() : state_{std::make_unique<State>()} {
    static std::atomic<unsigned> made{0};
    state_->name = "cmpgate-ram-" + std::to_string(++made);
    sqlite3_vfs* const system = sqlite3_vfs_find(nullptr);
    sqlite3_vfs& vfs = state_->vfs;
    vfs = *system;  // time, sleep, randomness are the system's
    vfs.iVersion = 1;
    vfs.szOsFile = sizeof(File);
    vfs.mxPathname = 512;
    vfs.pNext = nullptr;
    vfs.zName = state_->name.c_str();
    vfs.pAppData = state_.get();
    vfs.xOpen = open_file;
    vfs.xDelete = remove_file;
    vfs.xAccess = access_file;
    vfs.xFullPathname = full_path;
    sqlite3_vfs_register(&vfs, 0);
}

RamVfs::~RamVfs() { sqlite3_vfs_unregister(&state_->vfs); }

const std::string& RamVfs::name() const noexcept { return state_->name; }
RamVfs::Files RamVfs::files() const {
    const std::lock_guard lock{state_->mutex};
    return state_->files;
}
void RamVfs::put(Files files) {
    const std::lock_guard lock{state_->mutex};
    state_->files = std::move(files);
    state_->shared.clear();
}
void RamVfs::record(bool on) {
    const std::lock_guard lock{state_->mutex};
    state_->recording = on;
}
std::vector<RamVfs::Operation> RamVfs::operations() const {
    const std::lock_guard lock{state_->mutex};
    return state_->operations;
}
std::size_t RamVfs::recorded() const {
    const std::lock_guard lock{state_->mutex};
    return state_->operations.size();
}
void RamVfs::set_full(bool full) noexcept { state_->full = full; }
void RamVfs::set_broken(bool broken) noexcept { state_->broken = broken; }
std::uint64_t RamVfs::syncs() const noexcept { return state_->syncs; }

bool CrashImages::advance() {
    if (at_ == operations_.size()) return false;
    const RamVfs::Operation& operation = operations_[at_];
    if (operation.kind == Kind::sync) {
        // A first sync makes the name durable too, as SQLite's own VFS syncs the directory then.
        const auto its = [&](std::size_t one) { return operations_[one].file == operation.file; };
        for (const std::size_t one : pending_) {
            if (its(one)) redo(durable_, operations_[one]);
        }
        std::erase_if(pending_, its);
        redo(durable_, operation);
    } else if (operation.kind == Kind::remove && operation.durable) {
        std::erase_if(pending_,
                      [&](std::size_t one) { return operations_[one].file == operation.file; });
        redo(durable_, operation);
    } else {
        pending_.push_back(at_);
    }
    ++at_;
    return true;
}

RamVfs::Files CrashImages::image(Unsynced unsynced, SeededRandom& random) const {
    RamVfs::Files files = durable_;
    if (unsynced == Unsynced::dropped) return files;
    for (const std::size_t one : pending_) {
        const RamVfs::Operation& operation = operations_[one];
        if (unsynced == Unsynced::kept) {
            redo(files, operation);
            continue;
        }
        if (random.chance(30)) continue;
        if (operation.kind != Kind::write || random.chance(50)) {
            redo(files, operation);
            continue;
        }
        // Any of its sectors, in whatever order the disk liked.
        for (std::size_t from = 0; from < operation.octets.size();) {
            const std::size_t left = kSector - (operation.at + from) % kSector;
            const std::size_t size = std::min(left, operation.octets.size() - from);
            if (random.chance(50)) {
                const auto begin = operation.octets.begin() + static_cast<std::ptrdiff_t>(from);
                redo(files, {Kind::write, operation.file, operation.at + from,
                             ra::Bytes(begin, begin + static_cast<std::ptrdiff_t>(size)), false});
            }
            from += size;
        }
    }
    return files;
}

}  // namespace test
