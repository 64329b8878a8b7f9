#include "metrics/prometheus_text.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <functional>
#include <limits>
#include <map>

namespace metrics {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

using Labels = std::vector<std::pair<std::string, std::string>>;

ClientMetric value_metric(const Labels& labels, double value, MetricType type) {
    ClientMetric metric;
    for (const auto& [name, text] : labels) metric.label.push_back({name, text});
    if (type == MetricType::Gauge) metric.gauge.value = value;
    if (type == MetricType::Counter) metric.counter.value = value;
    return metric;
}

MetricFamily family(std::string name, std::string help, MetricType type) {
    MetricFamily made;
    made.name = std::move(name);
    made.help = std::move(help);
    made.type = type;
    return made;
}

MetricFamily messages(const Snapshot& snapshot) {
    MetricFamily made =
        family("cmpgate_messages_total", "Messages answered, by listener, body type and decision.",
               MetricType::Counter);
    for (std::size_t listener = 0; listener < snapshot.listeners.size(); ++listener) {
        for (std::size_t operation = 0; operation < kOperations; ++operation) {
            for (std::size_t decision = 0; decision < kDecisions; ++decision) {
                std::uint64_t sum = 0;
                for (const MessageCounters* worker : snapshot.workers) {
                    sum += worker->messages(listener, operation, static_cast<Decision>(decision));
                }
                if (sum == 0) continue;
                made.metric.push_back(value_metric(
                    {{"listener", snapshot.listeners[listener]},
                     {"operation", std::string(snapshot.operations[operation])},
                     {"decision", std::string(to_string(static_cast<Decision>(decision)))}},
                    static_cast<double>(sum), MetricType::Counter));
            }
        }
    }
    return made;
}

MetricFamily octets(const Snapshot& snapshot, bool received) {
    MetricFamily made =
        family(received ? "cmpgate_received_bytes_total" : "cmpgate_sent_bytes_total",
               received ? "Octets of CMP messages received from devices."
                        : "Octets of CMP answers to devices.",
               MetricType::Counter);
    for (std::size_t listener = 0; listener < snapshot.listeners.size(); ++listener) {
        std::uint64_t sum = 0;
        for (const MessageCounters* worker : snapshot.workers) {
            sum += received ? worker->octets_in(listener) : worker->octets_out(listener);
        }
        made.metric.push_back(value_metric({{"listener", snapshot.listeners[listener]}},
                                           static_cast<double>(sum), MetricType::Counter));
    }
    return made;
}

MetricFamily rules(const Snapshot& snapshot) {
    MetricFamily made =
        family("cmpgate_refusals_total", "Refused and failed messages by the rule that did it.",
               MetricType::Counter);
    std::map<std::string_view, std::uint64_t> sums;
    for (const MessageCounters* worker : snapshot.workers) {
        for (const RuleCounts::Row& row : worker->rules().rows()) sums[row.rule] += row.count;
    }
    for (const auto& [rule, sum] : sums) {
        made.metric.push_back(value_metric({{"rule", std::string(rule)}}, static_cast<double>(sum),
                                           MetricType::Counter));
    }
    return made;
}

ClientMetric histogram_metric(const Snapshot& snapshot, const Labels& labels,
                              const std::function<const Histogram&(const MessageCounters&)>& of) {
    ClientMetric metric = value_metric(labels, 0, MetricType::Histogram);
    std::uint64_t count = 0;
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i <= Histogram::kBounds.size(); ++i) {
        for (const MessageCounters* worker : snapshot.workers) count += of(*worker).bucket(i);
        const bool last = i == Histogram::kBounds.size();
        metric.histogram.bucket.push_back(
            {count, last ? std::numeric_limits<double>::infinity()
                         : static_cast<double>(Histogram::kBounds[i]) / 1e6});
    }
    for (const MessageCounters* worker : snapshot.workers) sum += of(*worker).sum_nanoseconds();
    metric.histogram.sample_count = count;
    metric.histogram.sample_sum = static_cast<double>(sum) / 1e9;
    return metric;
}

MetricFamily histogram(const Snapshot& snapshot, std::string name, std::string help,
                       const Histogram& (MessageCounters::*which)() const noexcept) {
    MetricFamily made = family(std::move(name), std::move(help), MetricType::Histogram);
    made.metric.push_back(histogram_metric(
        snapshot, {},
        [which](const MessageCounters& worker) -> const Histogram& { return (worker.*which)(); }));
    return made;
}

MetricFamily stages(const Snapshot& snapshot) {
    MetricFamily made = family("cmpgate_stage_seconds", "What the time of messages went into.",
                               MetricType::Histogram);
    for (std::size_t i = 0; i < kStages; ++i) {
        made.metric.push_back(histogram_metric(
            snapshot, {{"stage", std::string(kStageNames[i])}},
            [i](const MessageCounters& worker) -> const Histogram& { return worker.stage(i); }));
    }
    return made;
}

MetricFamily sum_of(const Snapshot& snapshot, std::string name, std::string help,
                    std::uint64_t (MessageCounters::*which)() const noexcept) {
    MetricFamily made = family(std::move(name), std::move(help), MetricType::Counter);
    std::uint64_t sum = 0;
    for (const MessageCounters* worker : snapshot.workers) sum += (worker->*which)();
    made.metric.push_back(value_metric({}, static_cast<double>(sum), MetricType::Counter));
    return made;
}

}  // namespace

std::string prometheus_text(const Snapshot& snapshot) {
    std::vector<MetricFamily> families;
    families.push_back(
        family("cmpgate_build_info", "1, labelled with the version that runs.", MetricType::Gauge));
    families.back().metric.push_back(
        value_metric({{"version", snapshot.version}}, 1, MetricType::Gauge));
    families.push_back(messages(snapshot));
    families.push_back(rules(snapshot));
    families.push_back(octets(snapshot, true));
    families.push_back(octets(snapshot, false));
    families.push_back(histogram(snapshot, "cmpgate_message_seconds",
                                 "From the last octet received to the answer.",
                                 &MessageCounters::total));
    families.push_back(histogram(snapshot, "cmpgate_upstream_seconds",
                                 "Of that, waiting for the CA.", &MessageCounters::upstream_wait));
    families.push_back(stages(snapshot));
    families.push_back(sum_of(snapshot, "cmpgate_unverified_messages_total",
                              "Messages relayed unverified (origin = \"opaque\").",
                              &MessageCounters::unverified));
    families.push_back(
        sum_of(snapshot, "cmpgate_possibly_issued_total",
               "Certificates that may have been issued without reaching their device.",
               &MessageCounters::possibly_issued));
    for (const Sample& sample : snapshot.samples) {
        const MetricType type = sample.gauge ? MetricType::Gauge : MetricType::Counter;
        if (families.back().name != sample.name) {
            families.push_back(family(std::string(sample.name), std::string(sample.help), type));
        }
        families.back().metric.push_back(value_metric(sample.labels, sample.value, type));
    }
    return prometheus::TextSerializer{}.Serialize(families);
}

}  // namespace metrics
