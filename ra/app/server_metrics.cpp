#include "ra/app/server_metrics.h"

#include <array>
#include <functional>

#include "ra/app/tls_keeper.h"
#include "ra/app/version.h"
#include "ra/cmp/types.h"

namespace ra::app {
namespace {

using metrics::Count;
using transports::common::ListenerCounters;
using transports::common::TlsCounters;
using transports::file::FileServerCounters;
using transports::http1::HttpClientCounters;
using transports::http1::HttpServerCounters;
using transports::tcp::TcpServerCounters;

using Labels = std::vector<std::pair<std::string, std::string>>;

/// The same counter of every worker, added up.
double sum(std::size_t workers, const std::function<const Count&(std::size_t)>& counter) {
    std::uint64_t total = 0;
    for (std::size_t worker = 0; worker < workers; ++worker) total += counter(worker).get();
    return static_cast<double>(total);
}

struct ListenerMetric {
    std::string_view http, tcp;  // its names
    std::string_view help;
    bool gauge;
    Count ListenerCounters::* counter;
};
constexpr std::array<ListenerMetric, 4> kListenerMetrics{{
    {"cmpgate_http_connections", "cmpgate_tcp_connections", "Connections open.", true,
     &ListenerCounters::open},
    {"cmpgate_http_connections_total", "cmpgate_tcp_connections_total", "Connections accepted.",
     false, &ListenerCounters::accepted},
    {"cmpgate_http_connections_refused_total", "cmpgate_tcp_connections_refused_total",
     "Connections turned away at max_connections.", false, &ListenerCounters::refused},
    {"cmpgate_http_accept_errors_total", "cmpgate_tcp_accept_errors_total",
     "Times accepting failed and paused.", false, &ListenerCounters::accept_errors},
}};

struct ServerMetric {
    std::string_view name, help;
    Count HttpServerCounters::* counter;
};
constexpr std::array<ServerMetric, 3> kServerMetrics{{
    {"cmpgate_http_requests_total", "Whole requests received.", &HttpServerCounters::requests},
    {"cmpgate_http_timeouts_total", "Requests not received in time.",
     &HttpServerCounters::timeouts},
    {"cmpgate_http_dropped_replies_total", "Answers whose client had gone.",
     &HttpServerCounters::dropped_replies},
}};

struct TcpMetric {
    std::string_view name, help;
    Count TcpServerCounters::* counter;
};
constexpr std::array<TcpMetric, 5> kTcpMetrics{{
    {"cmpgate_tcp_requests_total", "Whole messages received.", &TcpServerCounters::requests},
    {"cmpgate_tcp_polls_total", "Polls for an answer that was promised.",
     &TcpServerCounters::polls},
    {"cmpgate_tcp_frame_errors_total", "Frames answered by an errorMsgRep.",
     &TcpServerCounters::frame_errors},
    {"cmpgate_tcp_timeouts_total", "Frames not received in time.", &TcpServerCounters::timeouts},
    {"cmpgate_tcp_dropped_replies_total", "Answers whose client had gone.",
     &TcpServerCounters::dropped_replies},
}};

struct FileMetric {
    std::string_view name, help;
    bool gauge;
    Count FileServerCounters::* counter;
};
constexpr std::array<FileMetric, 5> kFileMetrics{{
    {"cmpgate_files_taken_total", "Files taken up.", false, &FileServerCounters::taken},
    {"cmpgate_files_answered_total", "Answers put into out.", false, &FileServerCounters::answered},
    {"cmpgate_files_failed_total", "Files moved to failed.", false, &FileServerCounters::failed},
    {"cmpgate_files_under_way", "Files whose answer is not there yet.", true,
     &FileServerCounters::under_way},
    {"cmpgate_files_full", "1: out or failed has no room, and nothing is taken.", true,
     &FileServerCounters::full},
}};

struct ClientMetric {
    std::string_view result;
    Count HttpClientCounters::* counter;
};
constexpr std::array<ClientMetric, 4> kClientMetrics{{
    {"delivered", &HttpClientCounters::delivered},
    {"not_sent", &HttpClientCounters::not_sent},
    {"unknown", &HttpClientCounters::unknown},
    {"rejected", &HttpClientCounters::rejected},
}};

using Add = std::function<void(std::string_view, std::string_view, bool, Labels, double)>;

bool has_connections(const Entrance& entrance) { return entrance.connections(0) != nullptr; }

/// Connections of devices, under the name of what they speak.
void add_connection_samples(const Add& add, bool tcp,
                            const std::vector<std::shared_ptr<Entrance>>& entrances,
                            std::size_t workers) {
    for (const ListenerMetric& metric : kListenerMetrics) {
        for (const auto& entrance : entrances) {
            if (!has_connections(*entrance) || entrance->config().url.is_tcp() != tcp) continue;
            add(tcp ? metric.tcp : metric.http, metric.help, metric.gauge,
                {{"listener", entrance->config().name}},
                sum(workers, [&](std::size_t w) -> const Count& {
                    return entrance->connections(w)->*metric.counter;
                }));
        }
    }
}

/// Handshakes with devices and with CAs.
void add_tls_samples(const Add& add, const Wiring& wiring,
                     const std::vector<std::shared_ptr<Entrance>>& entrances,
                     const std::vector<std::unique_ptr<WorkerParts>>& parts) {
    struct Side {
        std::string_view label;
        std::string_view name;
        std::function<const TlsCounters&(std::size_t worker)> counters;
    };
    std::vector<Side> sides;
    for (const auto& entrance : entrances) {
        if (!has_connections(*entrance)) continue;
        sides.push_back(
            {"listener", entrance->config().name, [&entrance](std::size_t w) -> const TlsCounters& {
                 return entrance->connections(w)->tls;
             }});
    }
    for (const auto& upstream : wiring.config.upstreams) {
        sides.push_back(
            {"upstream", upstream.name, [&parts, &upstream](std::size_t w) -> const TlsCounters& {
                 return parts[w]->client_counters(upstream.name).tls;
             }});
    }
    const auto one = [&](const Side& side, std::string_view result,
                         const std::function<const Count&(const TlsCounters&)>& pick) {
        add("cmpgate_tls_handshakes_total", "TLS handshakes by how they ended.", false,
            {{std::string(side.label), std::string(side.name)}, {"result", std::string(result)}},
            sum(parts.size(),
                [&](std::size_t w) -> const Count& { return pick(side.counters(w)); }));
    };
    static constexpr std::array<std::string_view, 4> kFaults{"timed_out", "gone", "certificate",
                                                             "protocol"};
    for (const Side& side : sides) {
        one(side, "full", [](const TlsCounters& c) -> const Count& { return c.full; });
        one(side, "resumed", [](const TlsCounters& c) -> const Count& { return c.resumed; });
        for (std::size_t kind = 0; kind < kFaults.size(); ++kind) {
            one(side, kFaults[kind],
                [kind](const TlsCounters& c) -> const Count& { return c.failed[kind]; });
        }
    }
    for (const Side& side : sides) {
        add("cmpgate_tls_handshake_cpu_seconds_total", "CPU spent in TLS handshakes.", false,
            {{std::string(side.label), std::string(side.name)}},
            sum(parts.size(), [&](std::size_t w) -> const Count& {
                return side.counters(w).microseconds;
            }) / 1e6);
    }
    for (const auto& entrance : entrances) {
        if (!has_connections(*entrance)) continue;
        add("cmpgate_proxy_errors_total", "Connections of proxies without a right PROXY header.",
            false, {{"listener", entrance->config().name}},
            sum(parts.size(), [&](std::size_t w) -> const Count& {
                return entrance->connections(w)->proxy_errors;
            }));
    }
    for (const TlsKeeper::Expiry& expiry : wiring.tls->expiries()) {
        add("cmpgate_tls_certificate_expiry_seconds", "When a certificate we show in TLS ends.",
            true, {{std::string(expiry.side), expiry.owner}, {"certificate", expiry.certificate}},
            static_cast<double>(expiry.at.time_since_epoch().count()));
    }
}

}  // namespace

void add_server_samples(metrics::Snapshot& snapshot, const Wiring& wiring,
                        const std::vector<std::shared_ptr<Entrance>>& entrances,
                        const std::vector<std::unique_ptr<WorkerParts>>& parts,
                        const gateway::Store::Sizes& sizes,
                        const gateway::Inventory::Sizes& inventory,
                        const gateway::SecretGate::Counts& macs,
                        const std::optional<store::Journal::Figures>& journal) {
    const std::size_t workers = parts.size();
    const std::vector<config::UpstreamConfig>& upstreams = wiring.config.upstreams;
    const auto add = [&](std::string_view name, std::string_view help, bool gauge, Labels labels,
                         double value) {
        snapshot.samples.push_back({name, help, gauge, std::move(labels), value});
    };
    snapshot.version = std::string(version());
    for (std::size_t type = 0; type < metrics::kUnparsed; ++type) {
        snapshot.operations.push_back(cmp::to_string(static_cast<cmp::BodyType>(type)));
    }
    snapshot.operations.emplace_back("unparsed");

    add_connection_samples(add, false, entrances, workers);
    add_connection_samples(add, true, entrances, workers);
    add_tls_samples(add, wiring, entrances, parts);
    for (const ServerMetric& metric : kServerMetrics) {
        for (const auto& entrance : entrances) {
            if (!entrance->config().url.is_http()) continue;
            add(metric.name, metric.help, false, {{"listener", entrance->config().name}},
                sum(workers, [&](std::size_t w) -> const Count& {
                    return parts[w]->server_counters(entrance->config().id).*metric.counter;
                }));
        }
    }
    for (const TcpMetric& metric : kTcpMetrics) {
        for (const auto& entrance : entrances) {
            if (!entrance->config().url.is_tcp()) continue;
            add(metric.name, metric.help, false, {{"listener", entrance->config().name}},
                sum(workers, [&](std::size_t w) -> const Count& {
                    return parts[w]->tcp_counters(entrance->config().id).*metric.counter;
                }));
        }
    }
    for (const FileMetric& metric : kFileMetrics) {
        for (const auto& entrance : entrances) {
            if (entrance->files() == nullptr) continue;
            add(metric.name, metric.help, metric.gauge, {{"listener", entrance->config().name}},
                static_cast<double>((entrance->files()->*metric.counter).get()));
        }
    }
    for (const auto& entrance : entrances) {
        if (!entrance->config().url.is_http()) continue;
        for (std::size_t status = 2; status < 6; ++status) {
            add("cmpgate_http_responses_total", "Responses by status class.", false,
                {{"listener", entrance->config().name}, {"class", std::to_string(status) + "xx"}},
                sum(workers, [&](std::size_t w) -> const Count& {
                    return parts[w]->server_counters(entrance->config().id).statuses[status];
                }));
        }
    }
    for (const auto& upstream : upstreams) {
        for (const ClientMetric& metric : kClientMetrics) {
            add("cmpgate_upstream_deliveries_total",
                "Messages to the CA by how delivering them ended.", false,
                {{"upstream", upstream.name}, {"result", std::string(metric.result)}},
                sum(workers, [&](std::size_t w) -> const Count& {
                    return parts[w]->client_counters(upstream.name).*metric.counter;
                }));
        }
    }
    for (const config::UpstreamConfig& upstream : upstreams) {
        for (std::size_t quirk = 0; quirk < gateway::kQuirks; ++quirk) {
            if (!upstream.quirks.has(static_cast<gateway::Quirk>(quirk))) continue;
            add("cmpgate_upstream_quirks_total",
                "Answers of the CA that were let pass with one of its quirks.", false,
                {{"upstream", upstream.name}, {"quirk", std::string(gateway::kQuirkNames[quirk])}},
                sum(workers, [&](std::size_t w) -> const Count& {
                    return parts[w]->quirk_counts(upstream.name)[quirk];
                }));
        }
    }
    for (const auto& upstream : upstreams) {
        add("cmpgate_upstream_connections", "Connections to the CA.", true,
            {{"upstream", upstream.name}}, sum(workers, [&](std::size_t w) -> const Count& {
                return parts[w]->client_counters(upstream.name).open;
            }));
    }
    const std::pair<const char*, std::uint64_t> results[] = {
        {"verified", macs.verified}, {"failed", macs.failed}, {"throttled", macs.throttled}};
    for (const auto& [result, count] : results) {
        add("cmpgate_macs_total", "MACs of devices by what became of them.", false,
            {{"result", result}}, static_cast<double>(count));
    }
    add("cmpgate_secrets_locked_total", "Secrets locked because they were being guessed.", false,
        {}, static_cast<double>(macs.locked));
    for (const config::UpstreamConfig& upstream : upstreams) {
        add("cmpgate_upstream_up", "1: could be reached when last tried, or was not tried yet.",
            true, {{"upstream", upstream.name}}, is_up(upstream.name, parts) ? 1 : 0);
    }
    add("cmpgate_config_generation", "1 at the start, one more with each reload.", true, {},
        static_cast<double>(wiring.settings->generation));
    add("cmpgate_store_open", "Open transactions.", true, {}, static_cast<double>(sizes.open));
    add("cmpgate_store_remembered", "Transactions remembered against replay.", true, {},
        static_cast<double>(sizes.remembered));
    add("cmpgate_store_kept_bytes", "Octets of requests and answers kept.", true, {},
        static_cast<double>(sizes.kept_octets));
    add("cmpgate_inventory_keys", "Certified keys whose holder is known.", true, {},
        static_cast<double>(inventory.keys));
    add("cmpgate_inventory_revoked", "Certificates known to be revoked through here.", true, {},
        static_cast<double>(inventory.revoked));
    if (!journal) return;
    add("cmpgate_store_orphans", "Entries of the ledger of possibly issued certificates.", true, {},
        static_cast<double>(sizes.orphans));
    add("cmpgate_store_writable", "1: the disk takes what is written.", true, {},
        journal->writable ? 1 : 0);
    add("cmpgate_store_fenced", "1: nothing is begun, after a restored or edited store.", true, {},
        journal->fenced ? 1 : 0);
    add("cmpgate_store_file_bytes", "Size of the database, without its log.", true, {},
        static_cast<double>(journal->octets));
    add("cmpgate_store_refused_rows_total", "Rows that were not as they had been written.", false,
        {}, static_cast<double>(journal->refused_rows));
    add("cmpgate_store_commits_total", "Groups of changes written.", false, {},
        static_cast<double>(journal->commits));
    add("cmpgate_store_changes_total", "Rows written.", false, {},
        static_cast<double>(journal->changes));
    add("cmpgate_store_commit_seconds_total", "Time spent writing and syncing them.", false, {},
        std::chrono::duration<double>(journal->committing).count());
    add("cmpgate_store_failures_total", "Groups of changes the disk did not take.", false, {},
        static_cast<double>(journal->failures));
}

bool is_up(const std::string& upstream, const std::vector<std::unique_ptr<WorkerParts>>& parts) {
    std::int64_t yes = 0;
    std::int64_t no = 0;
    for (const auto& one : parts) {
        const WorkerParts::Reached& reached = one->reached(upstream);
        yes = std::max(yes, reached.yes.load(std::memory_order_relaxed));
        no = std::max(no, reached.no.load(std::memory_order_relaxed));
    }
    return no <= yes;
}

}  // namespace ra::app
