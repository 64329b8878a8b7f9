#include "ra/app/audit.h"

#include <optional>

#include "ra/admin/admin.h"
#include "ra/asn1/name.h"

namespace ra::app {
namespace {

Log::Level level_of(metrics::Decision decision) noexcept {
    switch (decision) {
        case metrics::Decision::forwarded:
        case metrics::Decision::repeated:
            return Log::Level::info;
        case metrics::Decision::refused:
        case metrics::Decision::other:
            return Log::Level::warning;
        case metrics::Decision::failed:
            break;
    }
    return Log::Level::error;
}

/// For people; a claim until `verified` says otherwise, so of bounded length.
std::string claimed_sender(ByteView general_name) {
    static constexpr std::size_t kShown = 512;
    if (general_name.empty()) return {};
    std::string text = asn1::general_name_text(general_name);
    if (text.size() > kShown) text.replace(kShown, std::string::npos, "...");
    return text;
}

/// "sender-mismatch,pvno-1-error"; empty: none.
std::string quirks_text(const gateway::Quirks& quirks) {
    std::string text;
    for (std::size_t i = 0; i < gateway::kQuirks; ++i) {
        if (!quirks.has(static_cast<gateway::Quirk>(i))) continue;
        if (!text.empty()) text += ',';
        text += gateway::kQuirkNames[i];
    }
    return text;
}

double milliseconds(std::chrono::nanoseconds duration) {
    return std::chrono::duration<double, std::milli>(duration).count();
}

}  // namespace

void WorkerAudit::count(const gateway::Ended& ended) {
    metrics::MessageCounters::Message message;
    message.listener = static_cast<std::size_t>(ended.listener);
    message.operation =
        ended.request ? static_cast<std::size_t>(*ended.request) : metrics::kUnparsed;
    message.decision = metrics::decision_of(ended.decision);
    message.rule = ended.rule;
    message.octets_in = ended.octets_in;
    message.octets_out = ended.octets_out;
    message.total = ended.total;
    message.upstream_wait = ended.upstream_wait;
    static_assert(gateway::kStages == metrics::kStages);
    message.stages = ended.stages;
    message.verified = ended.verified;
    message.possibly_issued = ended.possibly_issued;
    counters_.count(message);
    if (!ended.quirks.any()) return;
    const auto found = quirks_.find(ended.upstream);
    if (found == quirks_.end()) return;
    for (std::size_t i = 0; i < gateway::kQuirks; ++i) {
        if (ended.quirks.has(static_cast<gateway::Quirk>(i))) (*found->second)[i].add();
    }
}

void WorkerAudit::record(const gateway::Ended& ended) {
    count(ended);
    const Log::Level level =
        ended.possibly_issued ? Log::Level::error : level_of(metrics::decision_of(ended.decision));
    if (!log_.wants(level)) return;

    const std::string trace = ended.trace.text();
    const std::string transaction = to_hex(ended.transaction_id);
    const std::string sender = claimed_sender(ended.sender);
    const std::string approver =
        ended.approver != nullptr ? asn1::name_text(ended.approver->subject()) : std::string{};
    const std::string quirks = quirks_text(ended.quirks);
    const auto listener = static_cast<std::size_t>(ended.listener);
    std::vector<Field> fields;
    fields.reserve(23);
    const auto text = [&](std::string_view name, std::string_view value) {
        if (!value.empty()) fields.push_back({name, value});
    };
    text("decision", ended.decision);
    text("request", ended.request ? cmp::to_string(*ended.request) : std::string_view{"unparsed"});
    text("rule", ended.rule);
    text("failInfo", ended.fail_info ? cmp::to_string(*ended.fail_info) : std::string_view{});
    text("detail", ended.detail);
    text("answer", ended.answer ? cmp::to_string(*ended.answer) : std::string_view{});
    text("profile", ended.profile);
    text("sender", sender);
    fields.push_back({"verified", ended.verified});
    text("approver", approver);
    text("treatment", ended.treatment);
    text("transactionID", transaction);
    text("upstream", ended.upstream);
    text("quirks", quirks);
    text("peer", ended.peer);
    text("listener", listener < listeners_.size() ? std::string_view{listeners_[listener]}
                                                  : std::string_view{});
    fields.push_back({"in", static_cast<std::int64_t>(ended.octets_in)});
    fields.push_back({"out", static_cast<std::int64_t>(ended.octets_out)});
    fields.push_back({"ms", milliseconds(ended.total)});
    if (ended.upstream_wait.count() > 0)
        fields.push_back({"upstream_ms", milliseconds(ended.upstream_wait)});
    if (ended.possibly_issued) fields.push_back({"possibly_issued", true});
    text("trace", trace);
    log_.write(level, "message", fields);
}

std::string WorkerAudit::audit_fields(const gateway::Ended& ended) const {
    std::string line;
    const auto text = [&line](std::string_view name, std::string_view value) {
        if (value.empty()) return;
        ((line += ",\"") += name) += "\":";
        line += admin::json_text(value);
    };
    const auto digest = [&](std::string_view name, const std::optional<crypto::Sha256>& value) {
        if (value) text(name, to_hex(*value));
    };
    const auto listener = static_cast<std::size_t>(ended.listener);
    text("trace", ended.trace.text());
    text("decision", ended.decision);
    text("request", ended.request ? cmp::to_string(*ended.request) : std::string_view{"unparsed"});
    text("answer", ended.answer ? cmp::to_string(*ended.answer) : std::string_view{});
    text("rule", ended.rule);
    text("failInfo", ended.fail_info ? cmp::to_string(*ended.fail_info) : std::string_view{});
    text("detail", ended.detail);
    text("profile", ended.profile);
    text("sender", claimed_sender(ended.sender));
    if (ended.principal) text("principal", to_hex(ended.principal->digest));
    line += ended.verified ? ",\"verified\":true" : ",\"verified\":false";
    if (ended.approver != nullptr) {
        text("approver", asn1::name_text(ended.approver->subject()));
        text("approver_sha256", to_hex(ended.approver->digest()));
    }
    text("treatment", ended.treatment);
    text("transactionID", to_hex(ended.transaction_id));
    text("upstream", ended.upstream);
    text("quirks", quirks_text(ended.quirks));
    text("peer", ended.peer);
    if (listener < listeners_.size()) text("listener", listeners_[listener]);
    if (ended.possibly_issued) line += ",\"possibly_issued\":true";
    digest("received_sha256", ended.digests.received);
    digest("forwarded_sha256", ended.digests.forwarded);
    digest("answered_sha256", ended.digests.answered);
    digest("sent_sha256", ended.digests.sent);
    return line;
}

asio::awaitable<bool> WorkerAudit::write_down(const gateway::Ended& ended) {
    record(ended);
    // Nobody is answerable for it, and anybody can send many: counted, not written one by one.
    if (!ended.principal && ended.decision == "refused") {
        trail_->aggregate(ended.peer, ended.rule);
        co_return true;
    }
    co_return co_await trail_->write("message", audit_fields(ended));
}

}  // namespace ra::app
