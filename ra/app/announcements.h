#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "ra/app/entrance.h"
#include "ra/app/log.h"
#include "ra/gateway/announcer.h"

namespace ra::app {

/// Passes what CAs announce on to the listeners that have an audience, and to the log. Any thread.
class AnnouncementHub final : public gateway::Announcer {
public:
    /// `log` outlives it.
    explicit AnnouncementHub(Log& log) : log_{log} {}

    bool announce(ByteView message, const crypto::Sha256& digest) override;
    /// Who hears of it from now on.
    void use(const std::vector<std::shared_ptr<Entrance>>& entrances);

private:
    static constexpr std::size_t kRemembered = 1024;  // announcements, the oldest forgotten first

    Log& log_;
    std::mutex mutex_;
    std::deque<crypto::Sha256> known_;
    std::vector<std::weak_ptr<Entrance>> entrances_;
};

}  // namespace ra::app
