#pragma once

#include <string>
#include <vector>

#include "metrics/message_counters.h"
#include "ra/app/audit_trail.h"
#include "ra/app/log.h"
#include "ra/gateway/ports.h"

namespace ra::app {

/// What becomes of a message, written down: one log line and the counters. One a worker, on its
/// thread; the log is shared.
class WorkerAudit final : public gateway::Audit {
public:
    /// Both outlive this, and so does `trail`, which may be null. `listeners`: names, by
    /// ListenerId.
    WorkerAudit(Log& log, metrics::MessageCounters& counters, std::vector<std::string> listeners,
                AuditTrail* trail = nullptr)
        : log_{log}, counters_{counters}, trail_{trail}, listeners_{std::move(listeners)} {}

    void use(std::vector<std::string> listeners) { listeners_ = std::move(listeners); }

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
};

}  // namespace ra::app
