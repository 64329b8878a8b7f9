#include "ra/admin/health.h"

#include <algorithm>

#include "ra/admin/admin.h"

namespace ra::admin {
namespace {

std::string array_of(const std::vector<std::string>& texts) {
    std::string out = "[";
    for (const std::string& text : texts) {
        if (out.size() > 1) out += ',';
        out += json_text(text);
    }
    return out + "]";
}

}  // namespace

std::string Health::json(std::string_view what) const {
    return "{" + json_text(what) + ":" + (good ? "true" : "false") +
           ",\"reasons\":" + array_of(reasons) + ",\"degraded\":" + array_of(degraded) + "}\n";
}

Health judge_ready(const HealthFacts& facts) {
    Health health;
    const auto no = [&health](std::string why) {
        health.good = false;
        health.reasons.push_back(std::move(why));
    };
    if (facts.draining) {
        no("it is ending");
    } else if (!facts.serving) {
        no("listeners do not take connections yet");
    }
    if (!facts.store_fault.empty()) no("the store cannot be used: " + facts.store_fault);
    if (facts.audit_failed) no("the audit trail cannot be written");
    if (!facts.clock_fault.empty())
        no(facts.clock_fault + ": certificates and messageTime cannot be judged");
    const auto down = static_cast<std::size_t>(
        std::count_if(facts.upstreams.begin(), facts.upstreams.end(),
                      [](const HealthFacts::Upstream& one) { return one.down; }));
    for (const HealthFacts::Upstream& one : facts.upstreams) {
        if (!one.down) continue;
        const std::string what = "upstream " + one.name + " cannot be reached";
        // One of several may still be enough for its devices; none is enough for nobody.
        if (!facts.ready_without_upstream && down == facts.upstreams.size()) {
            no(what);
        } else {
            health.degraded.push_back(what);
        }
    }
    for (const HealthFacts::Renewal& one : facts.renewals) {
        if (!one.fault.empty())
            health.degraded.push_back("credential " + one.credential +
                                      " cannot be renewed: " + one.fault);
    }
    return health;
}

Health judge_live(const HealthFacts& facts) {
    Health health;
    for (std::size_t i = 0; i < facts.workers.size(); ++i) {
        const auto silent =
            std::chrono::duration_cast<std::chrono::seconds>(facts.workers[i].silent);
        if (silent <= kMostSilence) continue;
        health.good = false;
        health.reasons.push_back("worker " + std::to_string(i) + " has not turned for " +
                                 std::to_string(silent.count()) + " s");
    }
    return health;
}

}  // namespace ra::admin
