#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "metrics/prometheus_text.h"
#include "ra/app/entrance.h"
#include "ra/gateway/ports.h"
#include "ra/gateway/secret_gate.h"
#include "ra/store/journal.h"
#include "ra/store/secret_table.h"

namespace ra::app {

/// Version, names of operations, and what transports and store count, as samples.
void add_server_samples(metrics::Snapshot& snapshot, const Wiring& wiring,
                        const std::vector<std::shared_ptr<Entrance>>& entrances,
                        const std::vector<std::unique_ptr<WorkerParts>>& parts,
                        const gateway::Store::Sizes& sizes,
                        const gateway::Inventory::Sizes& inventory,
                        const gateway::SecretGate::Counts& macs,
                        const std::optional<store::Journal::Figures>& journal);

/// What those of them that speak CoAP count.
void add_coap_samples(std::vector<metrics::Sample>& samples,
                      const std::vector<std::shared_ptr<Entrance>>& entrances);

/// Reached, by whichever worker tried last; not tried yet counts as up.
[[nodiscard]] bool is_up(const std::string& upstream,
                         const std::vector<std::unique_ptr<WorkerParts>>& parts);

/// When what the configuration trusts and signs with ends (S-44).
void add_expiry_samples(std::vector<metrics::Sample>& samples, const gateway::Settings& settings);

/// How many enrolment secrets there are, and when the good ones end (S-44).
void add_secret_samples(std::vector<metrics::Sample>& samples, const store::SecretFigures& secrets);

/// Of the process: time, memory, descriptors, threads.
void add_process_samples(std::vector<metrics::Sample>& samples);

}  // namespace ra::app
