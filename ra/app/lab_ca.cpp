#include "ra/app/lab_ca.h"

#include <algorithm>

namespace ra::app {
namespace {

/// Whom the profiles that end at this upstream let through.
std::vector<crypto::CertificatePtr> trusted_devices(const gateway::Settings& settings,
                                                    const std::string& upstream) {
    std::vector<crypto::CertificatePtr> anchors;
    for (const policy::ProfilePtr& profile : settings.profiles) {
        if (profile->upstream != upstream || profile->origin.trust == nullptr) continue;
        const auto& more = profile->origin.trust->anchors();
        anchors.insert(anchors.end(), more.begin(), more.end());
    }
    return anchors;
}

}  // namespace

gateway::SettingsPtr load_with_lab_ca(const config::Config& config, config::Faults& faults,
                                      std::unique_ptr<LabCaHost>& lab_ca,
                                      std::uint64_t generation) {
    auto settings = config::load_settings(config, faults, generation);
    const auto upstream =
        std::find_if(config.upstreams.begin(), config.upstreams.end(),
                     [](const config::UpstreamConfig& one) { return one.is_lab_ca(); });
    if (settings == nullptr || upstream == config.upstreams.end()) return settings;

    if (lab_ca == nullptr) {
        labca::Settings made;
        made.trust = trusted_devices(*settings, upstream->name);
        made.limits = settings->limits;
        if (upstream->responder.shared_secret) {
            config::Faults reported_elsewhere{config.file};
            for (auto& secret : config::load_secrets(config, WallTime{}, reported_elsewhere)) {
                made.secrets.emplace(std::string(as_text(secret.reference)),
                                     std::move(secret.octets));
            }
        }
        lab_ca = std::make_unique<LabCaHost>(std::move(made));
    }

    gateway::ResponderAuthority& responder = settings->upstreams.at(upstream->name).responder;
    responder.trust = crypto::TrustStore::of({lab_ca->ca.certificate()});
    return settings;
}

}  // namespace ra::app
