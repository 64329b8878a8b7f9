#include "ra/gateway/guesses.h"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <cstring>

namespace ra::gateway {
namespace {

std::uint64_t first_octets(const crypto::Sha256& digest) noexcept {
    std::uint64_t number = 0;
    std::memcpy(&number, digest.data(), sizeof number);
    return number;
}

}  // namespace

Bytes source_prefix(std::string_view address) {
    boost::system::error_code error;
    const auto parsed = boost::asio::ip::make_address(std::string(address), error);
    if (error) return {};
    if (parsed.is_v4()) {
        const auto octets = parsed.to_v4().to_bytes();
        return {4, octets[0], octets[1], octets[2]};
    }
    const auto v6 = parsed.to_v6();
    const auto octets = v6.to_bytes();
    if (v6.is_v4_mapped()) return {4, octets[12], octets[13], octets[14]};
    Bytes prefix{6};
    prefix.insert(prefix.end(), octets.begin(), octets.begin() + 7);
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
