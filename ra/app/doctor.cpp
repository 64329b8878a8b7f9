#include "ra/app/doctor.h"

#include <algorithm>
#include <ostream>

#include "ra/app/admin_client.h"
#include "ra/app/clock_watch.h"
#include "ra/app/config/credential_files.h"
#include "ra/app/doctor_upstream.h"
#include "ra/app/renewer.h"
#include "ra/app/server_metrics.h"
#include "ra/app/version.h"
#include "transports/common/listen_socket.h"
#include "transports/http1/paths.h"

namespace ra::app {

using Kind = Finding::Kind;

namespace {

class Report {
public:
    explicit Report(std::ostream& out) : out_{out} {}

    void add(const Finding& finding) {
        static constexpr std::string_view kWords[] = {"ok    ", "warn  ", "WRONG "};
        out_ << kWords[static_cast<std::size_t>(finding.kind)] << finding.what << ": "
             << finding.found << '\n';
        if (!finding.advice.empty()) out_ << "        " << finding.advice << '\n';
        out_ << std::flush;
        if (finding.kind == Kind::bad) ++bad_;
    }
    [[nodiscard]] int status() const {
        out_ << (bad_ == 0 ? "nothing is wrong\n" : std::to_string(bad_) + " wrong\n");
        return bad_ == 0 ? 0 : 1;
    }

private:
    std::ostream& out_;
    std::size_t bad_ = 0;
};

/// Says whether the gateway runs by this configuration.
bool examine_running(const config::AdminConfig& admin, Report& report) {
    if (admin.urls.empty()) return false;
    const std::string what = "gateway " + admin.urls.front().text;
    try {
        const AdminReply reply = ask_gateway(admin, "GET", "/ready", {}, std::chrono::seconds{5});
        if (reply.status == 200) {
            report.add({Kind::good, what, "runs, and is ready", ""});
        } else {
            report.add({Kind::bad, what,
                        "runs, and says " + std::to_string(reply.status) + " " + reply.body,
                        "cmpgate status -c … says it line by line"});
        }
        return true;
    } catch (const std::runtime_error& fault) {
        report.add({Kind::warning, what, fault.what(), "not started?"});
        return false;
    }
}

/// An address that is taken is right while the gateway runs, and wrong while it does not.
Finding try_listener(const config::ListenerConfig& listener, bool is_running) {
    const std::string what = "listener " + listener.name + " " + listener.url.text;
    if (listener.url.is_file()) return {Kind::good, what, "is there, and ours", ""};
    try {
        (void)transports::common::open_listen_sockets(listener.url.host, listener.url.port, 1, 1);
        if (!is_running || listener.url.port == 0) return {Kind::good, what, "can be bound", ""};
        return {Kind::bad, what, "the gateway runs, but not here",
                "was the configuration changed and not reloaded? cmpgate reload -c …"};
    } catch (const std::runtime_error& fault) {
        const std::string why = fault.what();
        if (why.find("taken") == std::string::npos)
            return {Kind::bad, what, why, "the address must be one of this machine (ip address)"};
        if (is_running) return {Kind::good, what, "is served", ""};
        return {Kind::bad, what, why,
                "ss -ltnp shows by which; this gateway itself, where it has no [admin] to ask?"};
    }
}

/// What renews itself: whether it can, and when it will.
void examine_renewals(const config::Config& config, const gateway::Settings& settings, WallTime now,
                      Report& report) {
    for (const config::CredentialConfig& credential : config.credentials) {
        if (!credential.renew) continue;
        const auto found = std::find_if(
            settings.credentials.begin(), settings.credentials.end(),
            [&](const crypto::CredentialPtr& one) { return one->name == credential.name; });
        if (found == settings.credentials.end()) continue;
        const std::string what = "renewal of " + credential.name;
        const WallTime due = renewal_due(*(*found)->certificate, credential.renew->before);
        const std::string fault = config::renewal_fault(credential, config.directory);
        if (!fault.empty()) {
            report.add({Kind::bad, what, fault, "run this as the user cmpgate serve runs as"});
        } else if (now > due + (((*found)->certificate->view().not_after - due) / 2)) {
            report.add({Kind::bad, what, "was due at " + config::time_text(due),
                        "cmpgate status, and credential_renewal_failed in the log, say why not"});
        } else {
            report.add({Kind::good, what, "due at " + config::time_text(due), ""});
        }
    }
}

void examine_expiry(const gateway::Settings& settings, WallTime now, Report& report) {
    static constexpr std::int64_t kDay = 86'400;
    static constexpr std::int64_t kSoon = 14;
    std::vector<metrics::Sample> samples;
    add_expiry_samples(samples, settings);
    for (const metrics::Sample& sample : samples) {
        const auto left = static_cast<std::int64_t>(sample.value) - now.time_since_epoch().count();
        const std::string what = sample.labels[0].second + " of " + sample.labels[1].second + " " +
                                 sample.labels[2].second;
        const bool is_crl = sample.labels[0].second == "crl";
        if (left < 0) {
            report.add({Kind::bad, what, "ended " + std::to_string(-left / kDay) + " days ago",
                        "a new one, where the configuration says; then cmpgate reload"});
        } else if (!is_crl && left < kSoon * kDay) {
            report.add(
                {Kind::warning, what, "ends in " + std::to_string(left / kDay) + " days", ""});
        }
    }
}

}  // namespace

int examine(const config::Config& config, const gateway::Settings& settings, std::ostream& out) {
    Report report{out};
    const WallTime now = SystemClock{}.wall_now();
    if (const std::string fault = clock_fault(now, source_time()); !fault.empty()) {
        report.add({Kind::bad, "clock", fault,
                    "timedatectl; is there a time server this machine can reach?"});
    }
    const bool is_running = examine_running(config.admin, report);
    for (const config::ListenerConfig& listener : config.listeners)
        report.add(try_listener(listener, is_running));
    for (const config::UpstreamConfig& upstream : config.upstreams) {
        for (const config::Url& url : upstream.urls) {
            if (upstream.is_spool()) {
                report.add({Kind::good, "upstream " + upstream.name,
                            "is a spool that is there, and ours; its CA cannot be asked", ""});
            } else if (upstream.is_lab_ca()) {
                report.add(
                    {Kind::good, "upstream " + upstream.name, "is the lab CA in the process", ""});
            } else {
                report.add(try_upstream(upstream, url, settings, config.directory));
            }
        }
    }
    examine_renewals(config, settings, now, report);
    examine_expiry(settings, now, report);
    return report.status();
}

}  // namespace ra::app
