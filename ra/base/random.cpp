#include "ra/base/random.h"

#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "ra/base/secret.h"

namespace ra {
namespace {

void from_kernel(std::uint8_t* to, std::size_t count) noexcept {
    while (count != 0) {
        const ssize_t got = getrandom(to, count, 0);
        if (got < 0) {
            if (errno == EINTR) continue;
            std::abort();  // no randomness: nothing this process says could be fresh
        }
        to += got;
        count -= static_cast<std::size_t>(got);
    }
}

}  // namespace

void SystemRandom::fill(std::span<std::uint8_t> octets) noexcept {
    if (octets.size() > kPool) return from_kernel(octets.data(), octets.size());
    if (kPool - used_ < octets.size()) {
        from_kernel(pool_, kPool);
        used_ = 0;
    }
    std::memcpy(octets.data(), pool_ + used_, octets.size());
    wipe(pool_ + used_, octets.size());
    used_ += octets.size();
}

}  // namespace ra
