#include "ra/gateway/guesses.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

namespace ra::gateway {
namespace {

std::uint64_t first_octets(const crypto::Sha256& digest) noexcept {
    std::uint64_t number = 0;
    std::memcpy(&number, digest.data(), sizeof number);
    return number;
}

}  // namespace

Bytes source_prefix(std::string_view address) {
    const std::string text{address};
    std::array<std::uint8_t, 4> v4{};
    if (::inet_pton(AF_INET, text.c_str(), v4.data()) == 1) return {4, v4[0], v4[1], v4[2]};
    std::array<std::uint8_t, 16> v6{};
    if (::inet_pton(AF_INET6, text.c_str(), v6.data()) != 1) return {};
    constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (std::equal(kMapped.begin(), kMapped.end(), v6.begin())) return {4, v6[12], v6[13], v6[14]};
    Bytes prefix{6};
    prefix.insert(prefix.end(), v6.begin(), v6.begin() + 7);
    return prefix;
}

Guesses::Guesses(Random& random, const Settings& settings)
    : settings_{settings}, key_{random.octets(16)}, entries_(settings.sets * kWays) {}

Guesses::Place Guesses::place(ByteView reference, std::string_view source) const {
    const Bytes prefix = source_prefix(source);
    Bytes who = key_;
    append(who, prefix);
    const std::uint64_t set = first_octets(crypto::sha256(who));
    const crypto::Sha256 named = crypto::sha256(reference);
    const std::uint64_t tag = first_octets(crypto::sha256(who, named));
    return {static_cast<std::size_t>(set % settings_.sets) * kWays, tag | 1U};
}

Guesses::Entry* Guesses::find(const Place& place) noexcept {
    for (std::size_t way = 0; way < kWays; ++way) {
        Entry& entry = entries_[place.set + way];
        if (entry.tag == place.tag) return &entry;
    }
    return nullptr;
}

bool Guesses::delayed(ByteView reference, std::string_view source, BootTime now) {
    const Place at = place(reference, source);
    const std::lock_guard guard{mutex_};
    Entry* const entry = find(at);
    if (entry == nullptr) return false;
    if (now - entry->last > settings_.forget_after) {
        *entry = {};
        return false;
    }
    return now < entry->until;
}

void Guesses::failed(ByteView reference, std::string_view source, BootTime now) {
    const Place at = place(reference, source);
    const std::lock_guard guard{mutex_};
    Entry* entry = find(at);
    if (entry != nullptr && now - entry->last > settings_.forget_after) entry->failures = 0;
    if (entry == nullptr) {
        const auto first = entries_.begin() + static_cast<std::ptrdiff_t>(at.set);
        entry = &*std::min_element(first, first + kWays, [](const Entry& a, const Entry& b) {
            return a.failures < b.failures;
        });
        *entry = {};
        entry->tag = at.tag;
    }
    ++entry->failures;
    entry->last = now;
    if (entry->failures <= settings_.free) return;
    const std::uint32_t doubled = std::min(entry->failures - settings_.free - 1, 16U);
    entry->until = now + std::min(settings_.first_delay * (1U << doubled), settings_.longest_delay);
}

void Guesses::verified(ByteView reference, std::string_view source) {
    const Place at = place(reference, source);
    const std::lock_guard guard{mutex_};
    if (Entry* const entry = find(at); entry != nullptr) *entry = {};
}

}  // namespace ra::gateway
