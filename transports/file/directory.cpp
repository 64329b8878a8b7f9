#include "transports/file/directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

#include "transports/file/names.h"

namespace transports::file {

using common::OwnedDescriptor;

namespace {

constexpr int kDirectoryFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
constexpr std::string_view kAside = ".aside-";  // what is being written, in `work`

/// A name that no other writer has, here or in another process.
std::string aside_name() {
    static std::atomic<unsigned> last{0};
    return std::string(kAside) + std::to_string(::getpid()) + '-' + std::to_string(++last);
}

std::runtime_error fault(const std::string& path, const std::string& what) {
    return std::runtime_error(path + ": " + what);
}

/// Renames without replacing; the error, or 0.
int rename_new(int from, const char* name, int to, const char* as) noexcept {
    constexpr unsigned kNoReplace = 1;  // RENAME_NOREPLACE
    return ::syscall(SYS_renameat2, from, name, to, as, kNoReplace) == 0 ? 0 : errno;
}

Made made_of(int error) noexcept {
    if (error == 0) return Made::done;
    return error == EEXIST ? Made::exists : Made::fault;
}

bool write_all(int descriptor, ra::ByteView octets) noexcept {
    while (!octets.empty()) {
        const ssize_t wrote = ::write(descriptor, octets.data(), octets.size());
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote <= 0) return false;
        octets = octets.subspan(static_cast<std::size_t>(wrote));
    }
    return true;
}

/// All of a file that has `size` octets, or more: it may still grow.
std::optional<ra::Bytes> read_all(int descriptor, std::size_t size, std::size_t most) {
    ra::Bytes octets(size + 1);
    std::size_t got = 0;
    for (;;) {
        const ssize_t read = ::read(descriptor, octets.data() + got, octets.size() - got);
        if (read < 0 && errno == EINTR) continue;
        if (read < 0) return std::nullopt;
        if (read == 0) break;
        got += static_cast<std::size_t>(read);
        if (got > most) break;
        if (got == octets.size()) octets.resize(octets.size() * 2);
    }
    octets.resize(got);
    return octets;
}

Found refused(std::string why) {
    Found found;
    found.kind = Found::Kind::refused;
    found.why = std::move(why);
    return found;
}

}  // namespace

Directory Directory::open(const std::string& path, Writers writers) {
    Directory opened;
    opened.path_ = path;
    opened.descriptor_ = OwnedDescriptor{::open(path.c_str(), kDirectoryFlags)};
    if (opened.descriptor_.get() < 0) {
        if (errno == ENOENT) throw fault(path, "there is no such directory");
        if (errno == ENOTDIR || errno == ELOOP)
            throw fault(path, "is no directory (a symbolic link is not followed)");
        throw fault(path, std::strerror(errno));
    }
    struct stat facts{};
    if (::fstat(opened.descriptor_.get(), &facts) != 0) throw fault(path, std::strerror(errno));
    const bool ours = facts.st_uid == ::geteuid() || facts.st_uid == 0;
    if (writers == Writers::us && !ours)
        throw fault(path, "belongs to another user; it must be this one's or root's (S-46)");
    if (writers == Writers::us && (facts.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        throw fault(path, "may be written to by others; chmod go-w it (S-46)");
    if ((facts.st_mode & S_IWOTH) != 0)
        throw fault(path, "may be written to by everybody; chmod o-w it (S-46)");
    opened.owner_ = facts.st_uid;
    opened.group_ = facts.st_gid;
    opened.group_may_write_ = (facts.st_mode & S_IWGRP) != 0;
    return opened;
}

Directory Directory::open_in(const char* name, Writers writers) const {
    const std::string path = path_ + '/' + name;
    if (::mkdirat(descriptor_.get(), name, 0700) != 0 && errno != EEXIST)
        throw fault(path, std::strerror(errno));
    // The descriptor is what counts; nobody but us can change what is in the directory above.
    return open(path, writers);
}

Found Directory::read(const std::string& name, std::size_t most) const {
    // Not blocking: a named pipe must not hold anybody up.
    const OwnedDescriptor file{::openat(descriptor_.get(), name.c_str(),
                                        O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)};
    if (file.get() < 0) {
        if (errno == ENOENT) return {};
        if (errno == ELOOP) return refused("a symbolic link");
        return refused(std::string("cannot be opened: ") + std::strerror(errno));
    }
    struct stat facts{};
    if (::fstat(file.get(), &facts) != 0) return refused(std::strerror(errno));
    if (!S_ISREG(facts.st_mode)) return refused("not a regular file");
    if (facts.st_nlink != 1) return refused("a file with several names");
    const bool may_write = facts.st_uid == ::geteuid() || facts.st_uid == 0 ||
                           facts.st_uid == owner_ || (group_may_write_ && facts.st_gid == group_);
    if (!may_write) return refused("its owner may not write to this directory");
    if ((facts.st_mode & S_IWOTH) != 0) return refused("everybody may write to it");
    if (static_cast<std::size_t>(facts.st_size) > most) return refused("too large");
    auto octets = read_all(file.get(), static_cast<std::size_t>(facts.st_size), most);
    if (!octets) return refused("cannot be read");
    if (octets->size() > most) return refused("too large");

    Found found;
    found.changed = facts.st_mtim.tv_sec;
    switch (judge_octets(*octets)) {
        case Wholeness::whole:
            found.kind = Found::Kind::octets;
            found.octets = std::move(*octets);
            return found;
        case Wholeness::unfinished:
            found.kind = Found::Kind::unfinished;
            return found;
        case Wholeness::surplus:
            return refused("octets behind the message");
        case Wholeness::other:
            break;
    }
    return refused("no DER");
}

bool Directory::has(const std::string& name) const noexcept {
    struct stat facts{};
    return ::fstatat(descriptor_.get(), name.c_str(), &facts, AT_SYMLINK_NOFOLLOW) == 0;
}

Made Directory::publish(ra::ByteView octets, const Directory& to, const std::string& name) const {
    const int here = descriptor_.get();
    const std::string aside = aside_name();
    {
        const OwnedDescriptor file{::openat(
            here, aside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640)};
        if (file.get() < 0 || !write_all(file.get(), octets) || ::fsync(file.get()) != 0) {
            ::unlinkat(here, aside.c_str(), 0);
            return Made::fault;
        }
    }
    const Made made = made_of(rename_new(here, aside.c_str(), to.descriptor(), name.c_str()));
    if (made != Made::done) {
        ::unlinkat(here, aside.c_str(), 0);
        return made;
    }
    return ::fsync(to.descriptor()) == 0 ? Made::done : Made::fault;
}

Made Directory::move(const std::string& name, const Directory& to, const std::string& as) const {
    return made_of(rename_new(descriptor_.get(), name.c_str(), to.descriptor(), as.c_str()));
}

void Directory::remove(const std::string& name) const noexcept {
    ::unlinkat(descriptor_.get(), name.c_str(), 0);
}

void Directory::sync() const noexcept { ::fsync(descriptor_.get()); }

void Directory::list(const std::function<bool(std::string_view)>& each) const {
    // A descriptor of its own: reading moves its position.
    const int again = ::openat(descriptor_.get(), ".", kDirectoryFlags);
    if (again < 0) return;
    const std::unique_ptr<DIR, int (*)(DIR*)> open{::fdopendir(again), ::closedir};
    if (open == nullptr) {
        ::close(again);
        return;
    }
    while (const dirent* entry = ::readdir(open.get())) {
        const std::string_view name{entry->d_name};
        if (name == "." || name == "..") continue;
        if (!each(name)) return;
    }
}

std::optional<std::int64_t> Directory::changed(const std::string& name) const noexcept {
    struct stat facts{};
    if (::fstatat(descriptor_.get(), name.c_str(), &facts, AT_SYMLINK_NOFOLLOW) != 0)
        return std::nullopt;
    return facts.st_mtim.tv_sec * 1'000'000'000LL + facts.st_mtim.tv_nsec;
}

namespace {

Directory open_root(const std::string& path) {
    return Directory::open(path, Directory::Writers::us);
}

}  // namespace

Spool::Spool(const std::string& path)
    : path_{path},
      in{open_root(path).open_in("in", Directory::Writers::others)},
      out{open_root(path).open_in("out", Directory::Writers::others)},
      failed{open_root(path).open_in("failed", Directory::Writers::us)},
      work{open_root(path).open_in("work", Directory::Writers::us)} {
    // Not every file system can rename without replacing: better known now than when it matters.
    if (rename_new(work.descriptor(), ".none", out.descriptor(), ".none") == EINVAL)
        throw fault(path, "this file system cannot rename without overwriting");
    if (const int error = rename_new(work.descriptor(), ".none", out.descriptor(), ".none");
        error == EXDEV)
        throw fault(path, "in, out, failed and work must be on one file system");
}

void Spool::claim() const {
    if (::flock(work.descriptor(), LOCK_EX | LOCK_NB) != 0)
        throw fault(path_, "another process serves this spool");
    // What a process that was killed was writing.
    std::vector<std::string> left;
    work.list([&left](std::string_view name) {
        if (name.starts_with(kAside)) left.emplace_back(name);
        return true;
    });
    for (const std::string& name : left) work.remove(name);
}

bool Spool::fail(const Directory& from, const std::string& name, std::string_view why) const {
    constexpr unsigned kMostOfAName = 1000;
    std::size_t count = 0;
    failed.list([&count](std::string_view) { return ++count < kMostFailed; });
    if (count >= kMostFailed) return false;
    for (unsigned number = 0; number < kMostOfAName; ++number) {
        const std::string as = numbered(name, number);
        if (failed.has(as)) continue;
        // The reason first: whoever sees the file can read why.
        const std::string text = std::string(why) + '\n';
        const Made said = work.publish(ra::as_bytes(text), failed, reason_name(as));
        if (said == Made::exists) continue;
        if (said == Made::fault) return false;
        const Made moved = from.move(name, failed, as);
        if (moved == Made::done) {
            failed.sync();
            from.sync();
            return true;
        }
        failed.remove(reason_name(as));
        if (moved == Made::fault) return false;
    }
    return false;
}

}  // namespace transports::file
