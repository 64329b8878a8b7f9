#include "ra/app/config/load.h"

#include <algorithm>
#include <functional>

#include "ra/app/config/credential.h"
#include "ra/app/config/credential_files.h"
#include "ra/app/config/material.h"
#include "ra/app/config/tls.h"
#include "ra/asn1/name.h"
#include "ra/base/secret.h"
#include "transports/file/directory.h"

namespace ra::app::config {
namespace {

using std::chrono::microseconds;

/// A signature of more than this does not run beside a worker's other messages (design:
/// Concurrency).
constexpr microseconds kSlowSignature{200};

/// This name and no other; nullopt where a pattern cannot say it (multi-valued RDNs).
std::optional<policy::NamePattern> exact_pattern(ByteView name) {
    const auto rdns = asn1::parse_name(name);
    if (!rdns) return std::nullopt;
    policy::NamePattern pattern;
    pattern.text = asn1::name_text(name);
    for (const asn1::Rdn& rdn : *rdns) {
        if (rdn.size() != 1) return std::nullopt;
        policy::NamePattern::Attribute attribute;
        attribute.type = to_bytes(rdn.front().type);
        attribute.value.parts.push_back(
            {policy::ValuePattern::Part::Kind::literal, rdn.front().text, {}});
        pattern.rdns.push_back(std::move(attribute));
    }
    return pattern;
}

class Loader {
public:
    Loader(const Config& config, Faults& faults, std::uint64_t generation)
        : config_{config}, faults_{faults}, generation_{generation} {}

    std::shared_ptr<gateway::Settings> load() {
        auto settings = std::make_shared<gateway::Settings>();
        settings->generation = generation_;
        settings->limits = config_.limits.message;
        settings->hop = config_.hop;
        settings->open_time = config_.limits.open_time;
        settings->poll_time = config_.limits.poll_time;
        settings->replay_horizon = config_.limits.replay_horizon;
        settings->concurrent_exchanges = config_.limits.exchanges;
        settings->signed_refusals_per_second = config_.limits.signed_refusals;
        for (const ListenerConfig& listener : config_.listeners) {
            if (listener.url.is_file()) check_spool(listener.url, listener.at);
        }
        for (const CredentialConfig& credential : config_.credentials) load_credential(credential);
        for (const auto& [name, credential] : credentials_)
            settings->credentials.push_back(credential);
        settings->superseded = superseded_;
        settings->reply_credential = reply_credential();
        for (const UpstreamConfig& upstream : config_.upstreams) {
            settings->upstreams.emplace(upstream.name, load_upstream(upstream));
        }
        for (const CredentialConfig& credential : config_.credentials) {
            if (credential.renew) {
                settings->renewals.emplace(credential.name,
                                           load_renewal(*credential.renew, settings->upstreams));
            }
        }
        for (const ProfileConfig& profile : config_.profiles)
            settings->profiles.push_back(load_profile(profile, settings->upstreams));
        return settings;
    }

private:
    /// What loading throws becomes a fault where the source is written.
    void attempt(Place at, const std::function<void()>& load) {
        try {
            load();
        } catch (const std::exception& fault) {
            faults_.error(at, fault.what());
        }
    }

    std::vector<crypto::CertificatePtr> load_all(const std::vector<Located<Source>>& sources) {
        std::vector<crypto::CertificatePtr> certificates;
        for (const Located<Source>& source : sources) {
            attempt(source.at, [&] {
                const Material material{source.value, config_.directory};
                auto loaded = crypto::load_certificates(material.path());
                if (loaded.empty())
                    throw std::runtime_error(source.value.text() + " holds no certificate");
                certificates.insert(certificates.end(), loaded.begin(), loaded.end());
            });
        }
        return certificates;
    }

    /// That it is there, and ours (S-46).
    void check_spool(const Url& url, Place at) {
        using transports::file::Directory;
        attempt(at, [&] {
            (void)Directory::open(url.directory(config_.directory), Directory::Writers::us);
        });
    }

    /// Two roles that name the same files share one store: one parse, one cache.
    crypto::TrustStorePtr load_trust(const TrustConfig& trust) {
        if (trust.anchors.empty()) return nullptr;
        std::vector<std::unique_ptr<Material>> held;
        crypto::TrustStore::Files files;
        std::string key = std::to_string(static_cast<int>(trust.crl_policy)) + '/' +
                          std::to_string(trust.crl_grace.count());
        const auto paths = [&](const std::vector<Located<Source>>& sources,
                               std::vector<std::string>& into) {
            key += '|';
            for (const Located<Source>& source : sources) {
                key += source.value.text() + '\n';
                attempt(source.at, [&] {
                    held.push_back(std::make_unique<Material>(source.value, config_.directory));
                    into.push_back(held.back()->path());
                });
            }
        };
        paths(trust.anchors, files.anchors);
        paths(trust.intermediates, files.intermediates);
        paths(trust.crls, files.crls);
        if (const auto known = stores_.find(key); known != stores_.end()) return known->second;
        files.crl_policy = trust.crl_policy;
        files.crl_grace = trust.crl_grace;
        crypto::TrustStorePtr store;
        if (!files.anchors.empty()) {
            attempt(trust.at, [&] { store = crypto::TrustStore::load(files); });
        }
        return stores_[key] = store;
    }

    void load_credential(const CredentialConfig& credential) {
        const Place at = credential.pkcs12 ? credential.pkcs12->at : credential.key.at;
        attempt(at, [&] {
            const auto loaded = open_credential(credential, config_.directory);
            if (loaded->key->sign_cost() > kSlowSignature) {
                const auto cost =
                    std::chrono::duration_cast<microseconds>(loaded->key->sign_cost()).count();
                faults_.warning(at, "one signature with " + in_quotes(credential.name) + " takes " +
                                        std::to_string(cost) +
                                        " us; it bounds what this gateway can "
                                        "protect (an EC P-256 key: about 25 us)");
            }
            credentials_.emplace(credential.name, loaded);
            if (!credential.renew) return;
            if (auto before = open_superseded(credential, config_.directory))
                superseded_.push_back(std::move(before));
            const std::string fault = renewal_fault(credential, config_.directory);
            if (!fault.empty()) faults_.warning(credential.renew->at, fault);
        });
    }

    gateway::RenewalSettings load_renewal(
        const RenewConfig& renew,
        const std::map<std::string, gateway::UpstreamSettings>& upstreams) {
        gateway::RenewalSettings settings;
        settings.upstream = renew.upstream.value;
        if (settings.upstream.empty() && config_.upstreams.size() == 1)
            settings.upstream = config_.upstreams.front().name;
        settings.label = renew.label;
        settings.before = renew.before;
        settings.same_key = renew.same_key;
        settings.key_kind = renew.key_kind;
        settings.timeout = renew.timeout;
        if (!renew.anchors.empty()) {
            auto anchors = load_all(renew.anchors);
            if (!anchors.empty()) settings.trust = crypto::TrustStore::of(std::move(anchors));
        } else if (const auto to = upstreams.find(settings.upstream); to != upstreams.end()) {
            settings.trust = to->second.responder.trust;
        }
        return settings;
    }

    crypto::CredentialPtr reply_credential() const {
        const std::string& name = config_.reply_credential.value;
        if (const auto found = credentials_.find(name); found != credentials_.end())
            return found->second;
        return name.empty() && credentials_.size() == 1 ? credentials_.begin()->second : nullptr;
    }

    gateway::UpstreamSettings load_upstream(const UpstreamConfig& upstream) {
        gateway::UpstreamSettings settings;
        settings.name = upstream.name;
        settings.max_check_after = upstream.max_check_after;
        settings.quirks = upstream.quirks;
        if (upstream.is_spool()) {
            settings.check_after = upstream.check_after;
            check_spool(upstream.urls.front(), upstream.at);
        }
        if (const auto own = credentials_.find(upstream.credential.value);
            own != credentials_.end()) {
            settings.credential = own->second;
        }
        settings.ca_pubs = load_all(upstream.ca_pubs);
        for (const Located<std::string>& name : upstream.announces_on) {
            for (const ListenerConfig& listener : config_.listeners) {
                if (listener.name == name.value) settings.announces_on.push_back(listener.id);
            }
        }
        gateway::ResponderAuthority& responder = settings.responder;
        responder.trust = load_trust(upstream.trust);
        std::vector<crypto::CertificatePtr>& authorities = authorities_[upstream.name];
        if (responder.trust != nullptr) {
            authorities = responder.trust->anchors();
            const auto between = load_all(upstream.trust.intermediates);
            authorities.insert(authorities.end(), between.begin(), between.end());
        }
        responder.pinned = load_all(upstream.responder.certificates);
        responder.ekus = upstream.responder.ekus;
        responder.secret_holder = upstream.responder.shared_secret;
        if (upstream.responder.issuer && upstream.responder.subject) {
            attempt(upstream.responder.at, [&] {
                responder.names.emplace_back(crypto::name_of(*upstream.responder.issuer),
                                             crypto::name_of(*upstream.responder.subject));
            });
        }
        // A pinned certificate is authority by itself: it may stand for the missing root.
        if (responder.trust == nullptr && !responder.pinned.empty()) {
            responder.trust = crypto::TrustStore::of(responder.pinned);
        }
        return settings;
    }

    /// A device may name the CA it asks: by default, whatever the upstream's trust is called.
    std::vector<policy::NamePattern> issuers_of(const std::string& upstream) const {
        std::vector<policy::NamePattern> patterns;
        const auto found = authorities_.find(upstream);
        if (found == authorities_.end()) return patterns;
        for (const crypto::CertificatePtr& authority : found->second) {
            if (auto pattern = exact_pattern(authority->subject()))
                patterns.push_back(std::move(*pattern));
        }
        return patterns;
    }

    policy::ProfilePtr load_profile(
        const ProfileConfig& config,
        const std::map<std::string, gateway::UpstreamSettings>& upstreams) {
        auto profile = std::make_shared<policy::Profile>(config.profile);
        profile->origin.trust = load_trust(config.origin_trust);
        profile->origin.mac_limits = config_.limits.mac;
        profile->ra.trust = load_trust(config.ra_trust);
        if (profile->upstream.empty() && config_.upstreams.size() == 1)
            profile->upstream = config_.upstreams.front().name;
        if (const auto to = upstreams.find(profile->upstream); to != upstreams.end())
            profile->ca_knows_secrets = to->second.responder.secret_holder;
        if (profile->rules.issuers.empty()) profile->rules.issuers = issuers_of(profile->upstream);
        profile->generation = generation_;
        return profile;
    }

    const Config& config_;
    Faults& faults_;
    std::uint64_t generation_;
    std::map<std::string, crypto::CredentialPtr> credentials_;
    std::vector<crypto::CredentialPtr> superseded_;
    std::map<std::string, crypto::TrustStorePtr> stores_;
    std::map<std::string, std::vector<crypto::CertificatePtr>> authorities_;  // by upstream
};

}  // namespace

Secret load_audit_key(const Config& config, Faults& faults) {
    static constexpr std::size_t kLeast = 32;  // as long as the MAC
    if (config.audit.path.empty()) return {};
    try {
        const Material key{config.audit.key.value, config.directory};
        if (key.exposed())
            throw std::runtime_error(config.audit.key.value.text() +
                                     " may be read by others; chmod 0600 it (S-24)");
        std::string text = key.read();
        Secret secret{to_bytes(as_bytes(text))};
        wipe(text.data(), text.size());
        if (secret.reveal().size() < kLeast)
            throw std::runtime_error(config.audit.key.value.text() + " has fewer than 32 octets");
        return secret;
    } catch (const std::exception& fault) {
        faults.error(config.audit.key.at, fault.what());
        return {};
    }
}

std::shared_ptr<gateway::Settings> load_settings(const Config& config, Faults& faults,
                                                 std::uint64_t generation) {
    auto settings = Loader{config, faults, generation}.load();
    static_cast<void>(load_audit_key(config, faults));
    check_tls(config, faults);
    return faults.has_errors() ? nullptr : settings;
}

std::vector<gateway::NewSecret> load_secrets(const Config& config, WallTime now, Faults& faults) {
    std::vector<gateway::NewSecret> secrets;
    for (const SecretConfig& written : config.secrets) {
        try {
            const Material material{written.secret.value, config.directory};
            if (material.exposed()) {
                throw std::runtime_error(
                    written.secret.value.text() +
                    " may be read by others or changed by its group; chmod 0600 it (S-24)");
            }
            std::string text = material.read();
            gateway::NewSecret secret;
            secret.reference = to_bytes(as_bytes(written.reference));
            secret.octets = Secret{to_bytes(as_bytes(text))};
            wipe(text.data(), text.size());
            if (secret.octets.empty())
                throw std::runtime_error(written.secret.value.text() + " is empty");
            secret.profile = written.profile;
            secret.created = now;
            secret.expires = written.expires;
            secret.uses = written.uses;
            secret.generated = written.generated;
            secrets.push_back(std::move(secret));
        } catch (const std::exception& fault) {
            faults.error(written.secret.at, fault.what());
        }
    }
    return secrets;
}

}  // namespace ra::app::config
