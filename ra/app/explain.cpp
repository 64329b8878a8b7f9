#include "ra/app/explain.h"

#include <iomanip>
#include <ostream>

#include "policy/amended.h"
#include "policy/pipeline.h"
#include "ra/asn1/name.h"
#include "ra/crypto/mac.h"
#include "ra/crypto/protection.h"

namespace ra::app {
namespace {

/// Prints one line a stage; remembers whether all went well.
class Report {
public:
    explicit Report(std::ostream& out) : out_{out} {}

    void good(std::string_view what, std::string_view detail) { line("ok", what, detail); }
    void skipped(std::string_view what, std::string_view detail) { line("-", what, detail); }
    int refused(std::string_view what, const policy::Refuse& refuse) {
        line("REFUSED", what, std::string(cmp::to_string(refuse.fail_info)) + ": " + refuse.detail);
        refused_ = true;
        return 1;
    }
    int unreadable(std::string_view what, const Error& error) {
        line("REFUSED", what,
             std::string(to_string(error.code)) + " in " + std::string(error.field) + " at octet " +
                 std::to_string(error.offset));
        refused_ = true;
        return 1;
    }
    [[nodiscard]] bool any_refused() const noexcept { return refused_; }

private:
    void line(std::string_view verdict, std::string_view what, std::string_view detail) {
        out_ << std::left << std::setw(8) << verdict << std::setw(26) << what << ' '
             << asn1::escaped(detail) << '\n';
    }

    std::ostream& out_;
    bool refused_ = false;
};

policy::OriginFacts gather(const policy::ProfiledMessage& message, const policy::OriginPlan& plan,
                           const Clock& clock) {
    policy::OriginFacts facts;
    if (plan.kind != policy::OriginPlan::Kind::signature || plan.trust == nullptr) return facts;
    crypto::ChainVerifier chains{clock};
    const ByteView certificates = message.message().extra_certs;
    facts.chain = chains.verify(*plan.trust, certificates);
    if (plan.ra_trust != nullptr) facts.ra_chain = chains.verify(*plan.ra_trust, certificates);
    const Result<crypto::Chain>& found = facts.chain ? facts.chain : facts.ra_chain;
    if (found) {
        facts.signature =
            crypto::verify_signature_protection(message.message(), found->leaf->key());
    }
    return facts;
}

/// With the secrets beside the configuration; those of the store are the running gateway's.
policy::OriginFacts gather_mac(const policy::ProfiledMessage& message,
                               const policy::OriginPlan& plan,
                               const std::vector<gateway::NewSecret>& secrets) {
    policy::OriginFacts facts;
    facts.mac_detail = "no [[secret]] has this reference; those of the store are not looked at";
    for (const gateway::NewSecret& secret : secrets) {
        if (!equal(secret.reference, plan.reference)) continue;
        facts.mac_detail = {};
        const auto key = crypto::MacKey::derive(plan.mac, secret.octets.reveal());
        if (!key) {
            facts.mac = key.error();
        } else {
            facts.mac = crypto::verify_mac_protection(message.message(), *key);
        }
    }
    return facts;
}

int explain_rules(const policy::ProvenRequest& request, WallTime now, Report& report) {
    for (const policy::RuleVerdict& verdict : policy::explain(request, now)) {
        if (!verdict.applies) {
            report.skipped(verdict.rule, verdict.looked_at);
        } else if (const auto* refuse = std::get_if<policy::Refuse>(&verdict.decision)) {
            report.refused(verdict.rule, *refuse);
        } else {
            report.good(verdict.rule, verdict.looked_at);
        }
    }
    if (report.any_refused()) return 1;
    const auto amended = policy::amend(request, now);
    if (!amended) return report.refused(amended.error().rule, amended.error());
    if (*amended) {
        report.good("amend", "goes up as " + std::string(cmp::to_string((*amended)->type)) +
                                 " with what the profile's amend says, popo raVerified");
    }
    return 0;
}

}  // namespace

int explain_message(Bytes der, const policy::ArrivalFacts& arrival,
                    const gateway::Settings& settings,
                    const std::vector<gateway::NewSecret>& secrets, const Clock& clock,
                    std::ostream& out) {
    Report report{out};
    const WallTime now = clock.wall_now();

    auto parsed = cmp::ParsedMessage::parse(cmp::MessageBuffer{std::move(der)}, settings.limits);
    if (!parsed) return report.unreadable("parse", parsed.error());
    const cmp::PKIMessage& message = parsed->message();
    report.good("parse", std::string(cmp::to_string(message.type)) + ", " +
                             std::to_string(message.whole.size()) + " octets, sender " +
                             asn1::general_name_text(message.header.sender));

    if (auto checked = policy::check_header(message, settings.limits); !checked)
        return report.refused(checked.error().rule, checked.error());
    report.good("header", "");

    auto profiled = policy::select(std::move(*parsed), arrival, settings.profiles, nullptr);
    if (!profiled) return report.refused(profiled.error().rule, profiled.error());
    report.good("profile", profiled->profile().name);

    const auto plan = policy::plan_origin(*profiled, now);
    if (!plan) return report.refused(plan.error().rule, plan.error());
    const policy::OriginFacts facts = plan->kind == policy::OriginPlan::Kind::mac
                                          ? gather_mac(*profiled, *plan, secrets)
                                          : gather(*profiled, *plan, clock);
    auto authentic = policy::conclude_origin(std::move(*profiled), *plan, facts, arrival.listener);
    if (!authentic) return report.refused(authentic.error().rule, authentic.error());
    report.good("origin",
                authentic->origin().verified
                    ? (authentic->origin().signer != nullptr ? "signature by " : "MAC of ") +
                          asn1::name_text(authentic->origin().subject)
                    : std::string{"opaque: nobody verifies this message here"});

    auto proven = policy::prove(std::move(*authentic), settings.limits);
    if (!proven) return report.refused(proven.error().rule, proven.error());
    report.good("pop", "");
    return explain_rules(*proven, now, report);
}

}  // namespace ra::app
