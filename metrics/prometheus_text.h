#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/message_counters.h"

namespace metrics {

/// Values that are read when they are asked for, or kept by somebody else.
struct Sample {
    std::string_view name;  // "cmpgate_http_requests_total"
    std::string_view help;
    bool gauge = false;
    std::vector<std::pair<std::string, std::string>> labels;
    double value = 0;
};

/// What is shown at one moment. Nothing is owned.
struct Snapshot {
    std::vector<std::string> listeners;        // names, by index
    std::vector<std::string_view> operations;  // names of the kOperations, by index
    std::vector<const MessageCounters*> workers;
    std::vector<Sample> samples;  // those of one name stand together
    std::string version;
};

/// Prometheus' text format (metrics/README.md lists the names). Rows that are zero are left out,
/// histograms are whole.
[[nodiscard]] std::string prometheus_text(const Snapshot& snapshot);

}  // namespace metrics
