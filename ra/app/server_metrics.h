#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "metrics/prometheus_text.h"
#include "ra/app/worker_parts.h"
#include "ra/gateway/ports.h"
#include "ra/gateway/secret_gate.h"
#include "ra/store/journal.h"
#include "transports/common/listener.h"

namespace ra::app {

/// Version, names of operations, and what transports and store count, as samples.
void add_server_samples(metrics::Snapshot& snapshot, const std::vector<std::string>& listener_names,
                        const std::vector<std::unique_ptr<transports::common::Listener>>& listeners,
                        const std::vector<std::string>& upstream_names,
                        const std::vector<std::unique_ptr<WorkerParts>>& parts,
                        const gateway::Store::Sizes& sizes,
                        const gateway::SecretGate::Counts& macs,
                        const std::optional<store::Journal::Figures>& journal);

}  // namespace ra::app
