#include "transports/tcp/poll_table.h"

#include <array>
#include <cstring>
#include <utility>

namespace transports::tcp {

void PollTable::drop_expired(ra::BootTime now) {
    std::erase_if(entries_, [now](const auto& entry) { return entry.second.until <= now; });
}

std::optional<std::uint32_t> PollTable::open(const std::string& client, ra::Random& random,
                                             ra::BootTime now) {
    const std::lock_guard lock{mutex_};
    if (entries_.size() >= settings_.most) drop_expired(now);
    if (entries_.size() >= settings_.most) return std::nullopt;
    for (;;) {
        std::array<std::uint8_t, 4> octets{};
        random.fill(octets);
        std::uint32_t reference = 0;
        std::memcpy(&reference, octets.data(), sizeof reference);
        const auto [at, fresh] =
            entries_.try_emplace(reference, Entry{client, std::nullopt, now + settings_.expires});
        if (fresh) return at->first;
    }
}

void PollTable::finish(std::uint32_t reference, ra::Reply reply, ra::BootTime now) {
    const std::lock_guard lock{mutex_};
    const auto found = entries_.find(reference);
    if (found == entries_.end()) return;
    found->second.reply = std::move(reply);
    found->second.until = now + settings_.expires;
}

PollTable::Found PollTable::collect(std::uint32_t reference, const std::string& client,
                                    ra::BootTime now) {
    const std::lock_guard lock{mutex_};
    const auto found = entries_.find(reference);
    if (found == entries_.end() || found->second.client != client || found->second.until <= now)
        return Unknown{};
    if (!found->second.reply) return Pending{};
    ra::Reply reply = std::move(*found->second.reply);
    entries_.erase(found);
    return reply;
}

std::size_t PollTable::size() const {
    const std::lock_guard lock{mutex_};
    return entries_.size();
}

}  // namespace transports::tcp
