#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ra/base/time.h"
#include "ra/gateway/settings.h"

namespace ra::gateway {

/// One configuration as one worker uses it: what it says, and the ways to the CAs it names.
struct Snapshot {
    SettingsPtr settings;
    std::map<std::string, std::shared_ptr<Upstream>> upstreams;
};
using SnapshotPtr = std::shared_ptr<const Snapshot>;

/// The configuration in use and those before it, for as long as transactions that began under them
/// may go on with what they pinned (S-06). One a worker; not thread-safe.
class Snapshots {
public:
    explicit Snapshots(SnapshotPtr first) : current_{std::move(first)} {}

    [[nodiscard]] const SnapshotPtr& current() const noexcept { return current_; }

    /// What a transaction that began under `generation` goes on with: the current one if that is
    /// gone, or no generation of this process.
    [[nodiscard]] const SnapshotPtr& of(std::uint64_t generation) const noexcept;

    /// From now on; what was current stays to be had until `until`. Beyond kMost the oldest goes.
    void use(SnapshotPtr next, BootTime now, BootTime until);

    /// Forgets what is past its time: its keys and connections go with it.
    void expire(BootTime now);

    [[nodiscard]] std::size_t superseded() const noexcept { return superseded_.size(); }

    static constexpr std::size_t kMost = 64;

private:
    struct Superseded {
        SnapshotPtr snapshot;
        BootTime until;
    };
    SnapshotPtr current_;
    std::vector<Superseded> superseded_;  // oldest first
};

}  // namespace ra::gateway
