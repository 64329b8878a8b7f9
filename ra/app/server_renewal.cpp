#include <algorithm>

#include "ra/app/renewer.h"
#include "ra/app/server.h"
#include "ra/app/worker_parts.h"

/// The part of a server's life that replaces its own credentials.
namespace ra::app {

using gateway::Settings;

void Server::make_renewer() {
    const auto way = [this](const std::string& upstream) { return parts_[0]->way_to(upstream); };
    const auto renewed = [this](crypto::CredentialPtr credential) {
        if (on_renewed_) on_renewed_(std::move(credential));
    };
    renewer_ =
        std::make_unique<Renewer>(Renewer::World{workers_[0], cpu_, clock_, log_, way}, renewed);
}

crypto::CredentialPtr Server::credential(std::string_view name) const {
    return gateway::credential_of(*wiring_->settings, name);
}

bool Server::replace_credential(const crypto::CredentialPtr& credential, std::uint64_t generation) {
    const Settings& now = *wiring_->settings;
    const auto same_name = [&](const crypto::CredentialPtr& one) {
        return one != nullptr && one->name == credential->name;
    };
    const auto old = std::find_if(now.credentials.begin(), now.credentials.end(), same_name);
    // A reload has read it from its files already, or does not name it any more.
    if (old == now.credentials.end() ||
        (*old)->certificate->digest() == credential->certificate->digest())
        return false;

    auto next = std::make_shared<Settings>(now);
    next->generation = generation;
    // What has ended signs nothing, and one before this is what a device may still wait with.
    const WallTime wall = clock_.wall_now();
    std::erase_if(next->superseded, [wall](const crypto::CredentialPtr& one) {
        return one->certificate->view().not_after < wall;
    });
    next->superseded.push_back(*old);
    for (crypto::CredentialPtr& one : next->credentials) {
        if (same_name(one)) one = credential;
    }
    if (same_name(next->reply_credential)) next->reply_credential = credential;
    for (auto& [name, upstream] : next->upstreams) {
        if (same_name(upstream.credential)) upstream.credential = credential;
    }
    for (policy::ProfilePtr& profile : next->profiles) {
        auto copy = std::make_shared<policy::Profile>(*profile);
        copy->generation = generation;
        profile = std::move(copy);
    }
    const config::Config config = wiring_->config;
    switch_to(config, std::move(next), wiring_->tls);
    return true;
}

}  // namespace ra::app
