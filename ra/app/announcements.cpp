#include "ra/app/announcements.h"

#include <algorithm>

namespace ra::app {

bool AnnouncementHub::announce(ByteView message, const crypto::Sha256& digest) {
    std::vector<std::shared_ptr<Entrance>> hearers;
    {
        const std::lock_guard lock{mutex_};
        if (std::find(known_.begin(), known_.end(), digest) != known_.end()) return false;
        if (known_.size() >= kRemembered) known_.pop_front();
        known_.push_back(digest);
        for (const auto& one : entrances_) {
            if (auto entrance = one.lock()) hearers.push_back(std::move(entrance));
        }
    }
    std::int64_t told = 0;
    for (const auto& entrance : hearers) {
        if (auto* const audience = entrance->audience()) {
            audience->publish(to_bytes(message));
            ++told;
        }
    }
    const std::string hex = to_hex(digest);
    log_.write(Log::Level::info, "announcement",
               {{"sha256", std::string_view{hex}}, {"listeners", told}});
    return true;
}

void AnnouncementHub::use(const std::vector<std::shared_ptr<Entrance>>& entrances) {
    const std::lock_guard lock{mutex_};
    entrances_.assign(entrances.begin(), entrances.end());
}

}  // namespace ra::app
