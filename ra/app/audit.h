#pragma once

#include <array>
#include <map>
#include <string>
#include <vector>

#include "metrics/count.h"
#include "metrics/message_counters.h"
#include "ra/app/audit_trail.h"
#include "ra/app/log.h"
#include "ra/gateway/ports.h"

namespace ra::app {

/// Answers of one CA by what they were let pass with.
using QuirkCounts = std::array<metrics::Count, gateway::kQuirks>;

/// What becomes of a message, written down: one log line and the counters. One a worker, on its
/// thread; the log is shared.
class WorkerAudit final : public gateway::Audit {
public:
    /// Both outlive this, and so does `trail`, which may be null. `listeners`: names, by
    /// ListenerId.
    WorkerAudit(Log& log, metrics::MessageCounters& counters, std::vector<std::string> listeners,
                AuditTrail* trail = nullptr)
        : log_{log}, counters_{counters}, trail_{trail}, listeners_{std::move(listeners)} {}

    /// `quirks`: by upstream, outliving this.
    void use(std::vector<std::string> listeners,
             std::map<std::string, QuirkCounts*, std::less<>> quirks) {
        listeners_ = std::move(listeners);
        quirks_ = std::move(quirks);
    }

    void record(const gateway::Ended& ended) override;
    [[nodiscard]] bool is_durable() const noexcept override { return trail_ != nullptr; }
    [[nodiscard]] bool usable() const noexcept override {
        return trail_ == nullptr || trail_->usable();
    }
    asio::awaitable<bool> write_down(const gateway::Ended& ended) override;

private:
    void count(const gateway::Ended& ended);
    [[nodiscard]] std::string audit_fields(const gateway::Ended& ended) const;

    Log& log_;
    metrics::MessageCounters& counters_;
    AuditTrail* trail_;
    std::vector<std::string> listeners_;
    std::map<std::string, QuirkCounts*, std::less<>> quirks_;
};

}  // namespace ra::app
