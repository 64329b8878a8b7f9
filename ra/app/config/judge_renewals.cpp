#include <algorithm>

#include "ra/app/config/judge.h"

namespace ra::app::config {
namespace {

const UpstreamConfig* find_upstream(const Config& config, const std::string& name) {
    const auto found = std::find_if(config.upstreams.begin(), config.upstreams.end(),
                                    [&name](const auto& one) { return one.name == name; });
    return found == config.upstreams.end() ? nullptr : &*found;
}

std::vector<std::string_view> upstream_names(const Config& config) {
    std::vector<std::string_view> names;
    for (const UpstreamConfig& one : config.upstreams) names.push_back(one.name);
    return names;
}

/// A key that is replaced must not be somebody else's, too.
void judge_replaced_key(const Config& config, const CredentialConfig& credential, Faults& faults) {
    const auto refuse = [&](const std::string& whose) {
        faults.error(credential.renew->at,
                     "credential " + in_quotes(credential.name) +
                         ": its key is replaced when it is renewed, and is that of " + whose +
                         ", too; give each a key of its own, or write key = \"same\"");
    };
    for (const CredentialConfig& other : config.credentials) {
        if (&other != &credential && !other.pkcs12 && other.key.value == credential.key.value)
            return refuse("credential " + in_quotes(other.name));
    }
    // With the same certificate beside it, TLS has both anew.
    const auto differs = [&credential](const TlsIdentityConfig& tls) {
        return tls.key.value == credential.key.value &&
               tls.certificate.value != credential.certificate.value;
    };
    for (const ListenerConfig& listener : config.listeners) {
        if (listener.tls &&
            std::any_of(listener.tls->identities.begin(), listener.tls->identities.end(), differs))
            return refuse("listener " + in_quotes(listener.name));
    }
    for (const UpstreamConfig& upstream : config.upstreams) {
        if (upstream.tls && upstream.tls->identity && differs(*upstream.tls->identity))
            return refuse("upstream " + in_quotes(upstream.name));
    }
}

}  // namespace

void judge_renewals(const Config& config, Faults& faults) {
    for (const CredentialConfig& credential : config.credentials) {
        if (!credential.renew) continue;
        if (!credential.renew->same_key) judge_replaced_key(config, credential, faults);
        const Located<std::string>& name = credential.renew->upstream;
        const UpstreamConfig* upstream = name.value.empty() && config.upstreams.size() == 1
                                             ? &config.upstreams.front()
                                             : find_upstream(config, name.value);
        if (upstream == nullptr) {
            const std::string what = "credential " + in_quotes(credential.name) + ": renew ";
            faults.error(name.value.empty() ? credential.renew->at : name.at,
                         name.value.empty()
                             ? what + "does not say by which upstream; there are several"
                             : what +
                                   "names an [[upstream]] there is not: " + in_quotes(name.value) +
                                   suggestion(name.value, upstream_names(config)));
        } else if (upstream->is_spool()) {
            faults.error(credential.renew->at, "credential " + in_quotes(credential.name) +
                                                   ": renew asks a CA that answers; upstream " +
                                                   in_quotes(upstream->name) + " is a spool");
        } else if (upstream->is_lab_ca()) {
            faults.error(credential.renew->at,
                         "credential " + in_quotes(credential.name) +
                             ": the lab CA forgets its key with this process; nothing it renews "
                             "outlives that");
        } else if (credential.renew->anchors.empty() && upstream->trust.anchors.empty()) {
            faults.error(credential.renew->at,
                         "credential " + in_quotes(credential.name) +
                             ": renew needs trust = \"file:…\", the root of its new "
                             "certificate: upstream " +
                             in_quotes(upstream->name) + " has none");
        }
    }
}

}  // namespace ra::app::config
