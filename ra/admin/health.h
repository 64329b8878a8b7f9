#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "ra/base/time.h"

namespace ra::admin {

/// What is known of the gateway at one moment.
struct HealthFacts {
    std::string clock_fault;    // why the wall clock cannot be right (S-43); empty: it may be
    bool serving = false;       // listeners are bound and taking connections
    bool draining = false;      // asked to end
    bool audit_failed = false;  // nothing may be answered, because it could not be written down
    std::string store_fault;    // why the store cannot be used; empty: it can
    struct Upstream {
        std::string name;
        bool down = false;  // could not be reached when last tried
    };
    std::vector<Upstream> upstreams;
    struct Renewal {
        std::string credential;
        std::string fault;  // why it was not renewed; empty: it was, or is not due
    };
    std::vector<Renewal> renewals;
    bool ready_without_upstream = true;  // down means degraded, not "not ready"
    struct Worker {
        std::chrono::nanoseconds silent{};  // since it last turned
    };
    std::vector<Worker> workers;
};

/// A worker that has not turned for this long hangs.
inline constexpr std::chrono::seconds kMostSilence{10};

struct Health {
    bool good = true;
    std::vector<std::string> reasons;   // why not
    std::vector<std::string> degraded;  // what does not work, though it goes on

    /// {"ready": true, "reasons": […], "degraded": […]}; `what`: "ready" or "live".
    [[nodiscard]] std::string json(std::string_view what) const;
};

/// Whether devices should be sent here.
[[nodiscard]] Health judge_ready(const HealthFacts& facts);
/// Whether the process still does its work; if not, it should be restarted.
[[nodiscard]] Health judge_live(const HealthFacts& facts);

}  // namespace ra::admin
