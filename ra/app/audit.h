#pragma once

#include <string>
#include <vector>

#include "metrics/message_counters.h"
#include "ra/app/log.h"
#include "ra/gateway/ports.h"

namespace ra::app {

/// What becomes of a message, written down: one log line and the counters. One a worker, on its
/// thread; the log is shared.
class WorkerAudit final : public gateway::Audit {
public:
    /// All outlive this. `listeners`: names, by ListenerId.
    WorkerAudit(Log& log, metrics::MessageCounters& counters,
                const std::vector<std::string>& listeners)
        : log_{log}, counters_{counters}, listeners_{listeners} {}

    void record(const gateway::Ended& ended) override;

private:
    void count(const gateway::Ended& ended);

    Log& log_;
    metrics::MessageCounters& counters_;
    const std::vector<std::string>& listeners_;
};

}  // namespace ra::app
