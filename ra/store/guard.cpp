#include "ra/store/guard.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <stdexcept>
#include <system_error>

namespace ra::store {
namespace {

constexpr std::size_t kSize = 64;

[[noreturn]] void refuse(const std::string& path) {
    throw std::runtime_error(path + ": " + std::generic_category().message(errno));
}

void check_private(const std::string& path, int file) {
    struct stat facts{};
    if (::fstat(file, &facts) != 0) refuse(path);
    if (!S_ISREG(facts.st_mode)) throw std::runtime_error(path + ": is no regular file");
    if ((facts.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        throw std::runtime_error(path +
                                 ": others than its owner may open it; chmod 0600 it (S-24)");
    }
}

}  // namespace

Guard::Guard(const std::string& path) : path_{path} {
    file_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file_ < 0) refuse(path);
    try {
        check_private(path, file_);
        std::array<char, kSize + 1> text{};
        const bool any = ::pread(file_, text.data(), kSize, 0) > 0;
        std::uint64_t mark = 0;
        int pid = 0;
        const bool ours = any && std::sscanf(text.data(), "cmpgate store mark %" SCNu64 " pid %d",
                                             &mark, &pid) == 2;
        if (::flock(file_, LOCK_EX | LOCK_NB) != 0) {
            throw std::runtime_error("the store is in use" +
                                     (ours ? " by process " + std::to_string(pid) : std::string{}) +
                                     " (" + path + " is locked); one cmpgate at a time");
        }
        if (any && !ours) throw std::runtime_error(path + ": is not what cmpgate wrote there");
        if (ours) mark_ = mark;
    } catch (...) {
        ::close(file_);
        throw;
    }
}

Guard::~Guard() { ::close(file_); }

bool Guard::write(std::uint64_t mark, bool sync) noexcept {
    std::array<char, kSize> text{};
    text.fill(' ');
    const int size = std::snprintf(text.data(), text.size(),
                                   "cmpgate store mark %020" PRIu64 " pid %010d", mark, ::getpid());
    text[static_cast<std::size_t>(size)] = ' ';
    text.back() = '\n';
    if (::pwrite(file_, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()))
        return false;
    if (sync && ::fdatasync(file_) != 0) return false;
    mark_ = mark;
    return true;
}

bool make_private_file(const std::string& path) {
    int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    const bool made = file >= 0;
    if (!made && errno == EEXIST)
        file = ::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (file < 0) refuse(path);
    try {
        check_private(path, file);
    } catch (...) {
        ::close(file);
        throw;
    }
    ::close(file);
    return made;
}

}  // namespace ra::store
