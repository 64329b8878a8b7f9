#include "ra/app/config/judge.h"

#include <algorithm>
#include <optional>
#include <set>

#include "ra/app/config/config.h"

namespace ra::app::config {
namespace {

using policy::OriginSettings;

bool is_opaque(const ProfileConfig& profile) {
    return profile.profile.origin.kind == OriginSettings::Kind::opaque;
}

template <class Part>
std::vector<std::string_view> names_of(const std::vector<Part>& parts) {
    std::vector<std::string_view> names;
    for (const Part& part : parts) names.push_back(part.name);
    return names;
}

template <class Part>
const Part* find(const std::vector<Part>& parts, std::string_view name) {
    const auto found = std::find_if(parts.begin(), parts.end(),
                                    [&](const Part& part) { return part.name == name; });
    return found == parts.end() ? nullptr : &*found;
}

void judge_credential_name(const Config& config, const Located<std::string>& name,
                           std::string_view key, Faults& faults) {
    if (name.value.empty() || find(config.credentials, name.value) != nullptr) return;
    faults.error(name.at, std::string(key) + ": there is no [[credential]] named " +
                              in_quotes(name.value) +
                              suggestion(name.value, names_of(config.credentials)));
}

/// The upstream a profile goes to: the named one, or the only one.
const UpstreamConfig* judge_upstream_of(const Config& config, const ProfileConfig& profile,
                                        Faults& faults) {
    if (!profile.upstream.value.empty()) {
        const UpstreamConfig* upstream = find(config.upstreams, profile.upstream.value);
        if (upstream == nullptr) {
            faults.error(profile.upstream.at,
                         "there is no [[upstream]] named " + in_quotes(profile.upstream.value) +
                             suggestion(profile.upstream.value, names_of(config.upstreams)));
        }
        return upstream;
    }
    if (config.upstreams.size() == 1) return &config.upstreams.front();
    if (config.upstreams.size() > 1) {
        faults.error(profile.at, "profile " + in_quotes(profile.profile.name) +
                                     " does not say which upstream; there are several");
    }
    return nullptr;
}

/// A profile that wants TLS client certificates where no listener asks for any serves nobody.
void judge_tls_client(const Config& config, const ProfileConfig& profile, Faults& faults) {
    const policy::TlsClient& wanted = profile.profile.tls_client;
    if (wanted.subjects.empty()) return;
    const std::vector<ListenerId>& only = profile.profile.match.listeners;
    for (std::size_t i = 0; i < config.listeners.size(); ++i) {
        const ListenerConfig& listener = config.listeners[i];
        const bool served = only.empty() || std::find(only.begin(), only.end(),
                                                      static_cast<ListenerId>(i)) != only.end();
        const bool asks = listener.tls && listener.tls->clients != ListenerTlsConfig::Clients::off;
        const bool proxied = wanted.from_proxy && !listener.proxy_networks.empty();
        if (served && (asks || proxied)) return;
    }
    faults.error(profile.at, "profile " + in_quotes(profile.profile.name) +
                                 ": tls_client can never hold: no listener it serves has "
                                 "tls.client_ca");
}

/// Are all certificates asked for amended, so that rules.subject and rules.san_… only say what may
/// be asked for, not what is granted?
bool amends_all(const policy::Profile& profile) {
    using cmp::BodyType;
    using crypto::ProtectionKind;
    const policy::Operations served = policy::operations_of(profile.match);
    for (const BodyType type : {BodyType::ir, BodyType::cr, BodyType::kur, BodyType::p10cr}) {
        if (!served.test(static_cast<std::size_t>(type))) continue;
        for (const ProtectionKind kind : {ProtectionKind::signature, ProtectionKind::mac}) {
            // kur keeps the names of the certificate it updates.
            if (type != BodyType::kur &&
                profile.treatments.of(type, kind, false) != policy::Treatment::raverified)
                return false;
        }
    }
    return true;
}

/// Does any of the rules that grant names not depend on who asks (S-14)?
void judge_names(const ProfileConfig& profile, Faults& faults) {
    const policy::Rules& rules = profile.profile.rules;
    const policy::Amendments& amend = profile.profile.amend;
    const std::string name = in_quotes(profile.profile.name);
    const bool amends = amends_all(profile.profile);
    const bool free_subject =
        !(amends && amend.subject && amend.subject->binds_sender()) &&
        std::any_of(rules.subjects.begin(), rules.subjects.end(),
                    [](const policy::NamePattern& pattern) { return !pattern.binds_sender(); });
    if (free_subject) {
        faults.warning(profile.subject_at, "profile " + name +
                                               ": any device may take any name that rules.subject "
                                               "permits; bind it: \"CN=${sender.CN},…\" (S-14)");
    }
    const bool replaced = amends && amend.names == policy::Amendments::Names::replace;
    const bool free_san =
        !replaced && (std::any_of(rules.san_dns.begin(), rules.san_dns.end(),
                                  [](const auto& p) { return !p.binds_sender(); }) ||
                      std::any_of(rules.san_email.begin(), rules.san_email.end(),
                                  [](const auto& p) { return !p.value.binds_sender(); }) ||
                      std::any_of(rules.san_uri.begin(), rules.san_uri.end(),
                                  [](const auto& p) { return !p.value.binds_sender(); }));
    if (free_san) {
        faults.warning(profile.san_at,
                       "profile " + name +
                           ": any device may take any alternative name that rules.san_… "
                           "permits; bind it: \"${sender.CN}.example\" (S-14)");
    }
}

/// Who could answer a MAC that goes up as it came?
void judge_mac(const ProfileConfig& profile, const UpstreamConfig* upstream, Faults& faults) {
    if (profile.profile.origin.mac != OriginSettings::Mac::secrets || upstream == nullptr) return;
    if (upstream->responder.shared_secret) return;
    using cmp::BodyType;
    const policy::Operations served = policy::operations_of(profile.profile.match);
    for (const BodyType type : {BodyType::ir, BodyType::cr, BodyType::p10cr, BodyType::genm}) {
        if (!served.test(static_cast<std::size_t>(type))) continue;
        const policy::Treatment treatment =
            profile.profile.treatments.of(type, crypto::ProtectionKind::mac, false);
        if (policy::replaces_protection(treatment)) continue;
        faults.error(
            profile.origin_at,
            "profile " + in_quotes(profile.profile.name) +
                (treatment == policy::Treatment::nest ? " nests" : " forwards") +
                " MACs that upstream " + in_quotes(upstream->name) +
                " cannot verify. Write treatment = { mac = \"reprotect\" }; or, if it knows "
                "the devices' secrets, responder = { shared_secret = true } there (R-078)");
        return;
    }
}

void judge_secrets(const Config& config, Faults& faults) {
    std::set<std::string> references;
    for (const SecretConfig& secret : config.secrets) {
        if (!references.insert(secret.reference).second)
            faults.error(secret.at,
                         "a second secret has the reference " + in_quotes(secret.reference));
        const bool known =
            secret.profile.empty() ||
            std::any_of(config.profiles.begin(), config.profiles.end(),
                        [&](const auto& one) { return one.profile.name == secret.profile; });
        if (!known) {
            std::vector<std::string_view> names;
            for (const ProfileConfig& one : config.profiles) names.push_back(one.profile.name);
            faults.error(secret.profile_at, "there is no profile " + in_quotes(secret.profile) +
                                                suggestion(secret.profile, names));
        }
    }
    const bool taken =
        std::any_of(config.profiles.begin(), config.profiles.end(), [](const ProfileConfig& one) {
            return one.profile.origin.mac == OriginSettings::Mac::secrets;
        });
    if (!config.secrets.empty() && !taken) {
        faults.warning(config.secrets.front().at,
                       "no profile takes secrets: origin = { mac = \"secrets\" } does");
    }
}

void judge_origin(const Config& config, const ProfileConfig& profile, Faults& faults) {
    const OriginSettings& origin = profile.profile.origin;
    const std::string name = in_quotes(profile.profile.name);
    if (is_opaque(profile)) {
        faults.warning(profile.origin_at,
                       "profile " + name +
                           " relays messages that nobody verifies here (opaque, S-10); what it "
                           "serves is the CA's decision alone");
    } else if (origin.undated == OriginSettings::Undated::remember) {
        faults.warning(profile.origin_at,
                       "profile " + name +
                           " takes messages without messageTime: each is remembered "
                           "until its signer's certificate ends (S-05)");
    }
    if (origin.time_window.count() == 0) {
        faults.warning(profile.origin_at,
                       "profile " + name +
                           " does not look at messageTime: a recorded message is "
                           "refused only as long as it is remembered (S-05)");
    } else if (config.limits.replay_horizon < 2 * origin.time_window) {
        faults.error(profile.origin_at,
                     "profile " + name + ": limits.replay_horizon (" +
                         std::to_string(config.limits.replay_horizon.count()) +
                         "s) is shorter than twice origin.time_window (" +
                         std::to_string(origin.time_window.count()) +
                         "s): a message could be replayed once forgotten (S-05)");
    }
    if (!is_opaque(profile)) judge_names(profile, faults);
}

/// A profile that can never be reached is a mistake somebody should hear of.
void judge_reachable(const Config& config, Faults& faults) {
    for (std::size_t j = 1; j < config.profiles.size(); ++j) {
        const policy::Match& later = config.profiles[j].profile.match;
        for (std::size_t i = 0; i < j; ++i) {
            const policy::Match& first = config.profiles[i].profile.match;
            const bool takes_all =
                first.labels.empty() && first.cert_profiles.empty() && first.listeners.empty() &&
                first.senders.empty() &&
                (policy::operations_of(later) & ~policy::operations_of(first)).none();
            if (!takes_all) continue;
            faults.error(config.profiles[j].at,
                         "profile " + in_quotes(config.profiles[j].profile.name) +
                             " is never reached: " + in_quotes(config.profiles[i].profile.name) +
                             " before it matches everything (the first match wins)");
            break;
        }
    }
}

void judge_listeners(const Config& config, Faults& faults) {
    if (config.listeners.empty()) {
        faults.error({}, "no [[listener]]: nobody can reach this gateway");
    }
    const auto mails = std::count_if(config.listeners.begin(), config.listeners.end(),
                                     [](const auto& one) { return one.url.is_mail(); });
    if (mails > 1)
        faults.error(config.listeners.back().at, "one [[listener]] is for mail, no more");
    if (mails != 0 && config.admin.urls.empty()) {
        faults.error(config.listeners.back().at,
                     "mail is brought through the admin socket: write [admin] url = \"unix:…\"");
    }
    for (std::size_t j = 1; j < config.listeners.size(); ++j) {
        for (std::size_t i = 0; i < j; ++i) {
            const Url& a = config.listeners[i].url;
            const Url& b = config.listeners[j].url;
            if (a.port != 0 && a.port == b.port && a.host == b.host) {
                faults.error(config.listeners[j].at,
                             "listener " + in_quotes(config.listeners[i].name) + " already uses " +
                                 a.host + " port " + std::to_string(a.port));
            }
        }
    }
}

/// What two would take from one directory neither could tell apart.
void judge_spools(const Config& config, Faults& faults) {
    std::set<std::string> seen;
    const auto check = [&](const Url& url, Place at) {
        if (url.is_file() && !seen.insert(url.directory(config.directory)).second) {
            faults.error(at, url.text +
                                 " is in use already: a spool is of one listener or of one "
                                 "upstream");
        }
    };
    for (const ListenerConfig& listener : config.listeners) check(listener.url, listener.at);
    for (const UpstreamConfig& upstream : config.upstreams) {
        for (const Url& url : upstream.urls) check(url, upstream.at);
    }
}

void judge_upstreams(const Config& config, const std::set<const UpstreamConfig*>& verified,
                     Faults& faults) {
    if (config.upstreams.empty()) faults.error({}, "no [[upstream]]: there is no CA to go to");
    for (const UpstreamConfig& upstream : config.upstreams) {
        judge_credential_name(config, upstream.credential, "upstream.credential", faults);
        if (upstream.quirks.has(gateway::Quirk::unprotected_refusal)) {
            faults.warning(upstream.quirks_at,
                           "upstream " + in_quotes(upstream.name) +
                               ": unprotected-refusal lets anybody on the way to this CA end a "
                               "request, and puts each one refused so into the ledger; better mend "
                               "the CA, or use https");
        }
        for (const Located<std::string>& name : upstream.announces_on) {
            if (find(config.listeners, name.value) == nullptr) {
                faults.error(name.at, "announces_on: there is no [[listener]] named " +
                                          in_quotes(name.value) +
                                          suggestion(name.value, names_of(config.listeners)));
            }
        }
        if (!upstream.announces_on.empty() && upstream.trust.anchors.empty() &&
            upstream.responder.certificates.empty() && !upstream.is_lab_ca()) {
            faults.error(upstream.announces_on.front().at,
                         "announces_on without trust: nobody could tell who announces");
        }
        if (upstream.is_lab_ca()) {
            if (!config.allow_lab_ca) {
                faults.error(upstream.at,
                             "the lab CA issues to whoever asks and forgets its key: \"labca:\" "
                             "needs allow_lab_ca = true");
            }
            continue;
        }
        if (verified.contains(&upstream) && upstream.trust.anchors.empty() &&
            upstream.trust.at == upstream.at && upstream.responder.certificates.empty()) {
            faults.error(upstream.at, "upstream " + in_quotes(upstream.name) +
                                          " has no trust: its answers could not be "
                                          "believed. Write trust = \"file:ca-root.pem\"");
        }
    }
}

}  // namespace

void judge(const Config& config, Faults& faults) {
    judge_listeners(config, faults);
    judge_credential_name(config, config.reply_credential, "reply_credential", faults);
    judge_credential_name(config, config.audit.credential, "audit.credential", faults);
    if (config.profiles.empty()) faults.error({}, "no [[profile]]: every message would be refused");

    std::set<std::string> names;
    std::set<const UpstreamConfig*> verified;
    for (const ProfileConfig& profile : config.profiles) {
        if (!names.insert(profile.profile.name).second) {
            faults.error(profile.at,
                         "a second profile is named " + in_quotes(profile.profile.name));
        }
        const UpstreamConfig* upstream = judge_upstream_of(config, profile, faults);
        // Answers to MACs are verified with the devices' own secrets.
        const bool only_macs = profile.profile.origin.mac == OriginSettings::Mac::secrets &&
                               profile.origin_trust.anchors.empty() && upstream != nullptr &&
                               upstream->responder.shared_secret;
        if (!is_opaque(profile) && !only_macs) verified.insert(upstream);
        judge_origin(config, profile, faults);
        judge_mac(profile, upstream, faults);
        judge_tls_client(config, profile, faults);
        judge_treatment(config, profile, upstream, faults);
    }
    judge_upstreams(config, verified, faults);
    judge_spools(config, faults);
    judge_secrets(config, faults);
    judge_renewals(config, faults);
    judge_reachable(config, faults);
    judge_overlaps(config, faults);
    if (config.credentials.empty() &&
        std::any_of(config.profiles.begin(), config.profiles.end(),
                    [](const ProfileConfig& p) { return !is_opaque(p); })) {
        faults.warning(
            {},
            "no [[credential]]: this gateway's own refusals go out unprotected, and many clients "
            "show them as a fault of protection");
    }
}

}  // namespace ra::app::config
