#include "ra/gateway/snapshots.h"

#include <algorithm>

namespace ra::gateway {

const SnapshotPtr& Snapshots::of(std::uint64_t generation) const noexcept {
    if (current_->settings->generation == generation) return current_;
    for (const Superseded& one : superseded_) {
        if (one.snapshot->settings->generation == generation) return one.snapshot;
    }
    return current_;
}

void Snapshots::use(SnapshotPtr next, BootTime now, BootTime until) {
    expire(now);
    if (superseded_.size() >= kMost) superseded_.erase(superseded_.begin());
    if (until > now) superseded_.push_back({std::move(current_), until});
    current_ = std::move(next);
}

void Snapshots::expire(BootTime now) {
    std::erase_if(superseded_, [now](const Superseded& one) { return one.until <= now; });
}

}  // namespace ra::gateway
