#include "ra/app/config/tls.h"

#include <stdexcept>

#include "ra/app/config/material.h"
#include "ra/crypto/files.h"

namespace ra::app::config {
namespace {

using transports::common::TlsClientSettings;
using transports::common::TlsContext;
using transports::common::TlsContextPtr;
using transports::common::TlsIdentity;
using transports::common::TlsServerSettings;
using transports::common::TlsTicketKeys;
using transports::common::TlsTrust;

Bytes read(const Source& source, const std::string& directory) {
    const Material material{source, directory};
    Bytes octets = crypto::load_file(material.path());
    if (octets.empty()) throw std::runtime_error(source.text() + " is empty");
    return octets;
}

TlsIdentity read_identity(const TlsIdentityConfig& config, const std::string& directory) {
    TlsIdentity identity;
    identity.name = config.certificate.value.text();
    identity.certificate = read(config.certificate.value, directory);
    if (Material{config.key.value, directory}.exposed()) {
        throw std::runtime_error(
            config.key.value.text() +
            " may be read by others or changed by its group; chmod 0600 it (S-24)");
    }
    identity.key = Secret{read(config.key.value, directory)};
    if (config.passphrase) {
        std::string text = Material{config.passphrase->value, directory}.read();
        identity.passphrase = Secret{to_bytes(as_bytes(text))};
        wipe(text.data(), text.size());
    }
    if (config.ocsp) identity.ocsp_response = read(config.ocsp->value, directory);
    return identity;
}

TlsTrust read_trust(const TrustConfig& config, const std::string& directory) {
    TlsTrust trust;
    for (const auto& source : config.anchors)
        trust.anchors.push_back(read(source.value, directory));
    for (const auto& source : config.crls) trust.crls.push_back(read(source.value, directory));
    if (config.crl_policy == crypto::CrlPolicy::soft) trust.crl_grace = config.crl_grace;
    return trust;
}

void add_file(std::vector<std::string>& files, const Source& source, const std::string& directory) {
    // A variable does not change while we run.
    if (source.kind != Source::Kind::env) files.push_back(Material{source, directory}.path());
}

void add_files(std::vector<std::string>& files, const TlsIdentityConfig& identity,
               const std::string& directory) {
    add_file(files, identity.certificate.value, directory);
    add_file(files, identity.key.value, directory);
    for (const auto* more : {&identity.passphrase, &identity.ocsp}) {
        if (*more) add_file(files, (*more)->value, directory);
    }
}

void add_files(std::vector<std::string>& files, const TrustConfig& trust,
               const std::string& directory) {
    for (const auto* sources : {&trust.anchors, &trust.crls}) {
        for (const Located<Source>& source : *sources) add_file(files, source.value, directory);
    }
}

}  // namespace

TlsContextPtr load_listener_tls(const ListenerConfig& listener, const std::string& directory,
                                std::shared_ptr<TlsTicketKeys> tickets) {
    using Clients = TlsServerSettings::Clients;
    const ListenerTlsConfig& tls = *listener.tls;
    TlsServerSettings settings;
    for (const TlsIdentityConfig& identity : tls.identities)
        settings.identities.push_back(read_identity(identity, directory));
    settings.clients = tls.clients == ListenerTlsConfig::Clients::required   ? Clients::required
                       : tls.clients == ListenerTlsConfig::Clients::optional ? Clients::optional
                                                                             : Clients::off;
    settings.client_trust = read_trust(tls.client_trust, directory);
    if (listener.url.is_http()) {
        if (listener.http2) settings.protocols.emplace_back("h2");
        settings.protocols.emplace_back("http/1.1");
    }
    settings.session_scope = listener.name;
    return TlsContext::server(settings, std::move(tickets));
}

TlsContextPtr load_upstream_tls(const UpstreamConfig& upstream, const std::string& directory) {
    TlsClientSettings settings;
    settings.trust = read_trust(upstream.tls->trust, directory);
    if (upstream.tls->identity)
        settings.identity = read_identity(*upstream.tls->identity, directory);
    return TlsContext::client(settings);
}

std::vector<std::string> tls_files(const ListenerTlsConfig& tls, const std::string& directory) {
    std::vector<std::string> files;
    for (const TlsIdentityConfig& identity : tls.identities) add_files(files, identity, directory);
    add_files(files, tls.client_trust, directory);
    return files;
}

std::vector<std::string> tls_files(const UpstreamTlsConfig& tls, const std::string& directory) {
    std::vector<std::string> files;
    add_files(files, tls.trust, directory);
    if (tls.identity) add_files(files, *tls.identity, directory);
    return files;
}

namespace {

void say(std::string& text, const std::vector<Located<Source>>& sources) {
    for (const Located<Source>& source : sources) text += source.value.text() + '\n';
    text += '|';
}

void say(std::string& text, const TlsIdentityConfig& identity) {
    say(text, std::vector{identity.certificate, identity.key});
    for (const auto* more : {&identity.passphrase, &identity.ocsp})
        text += *more ? (*more)->value.text() + '|' : "|";
}

void say(std::string& text, const TrustConfig& trust) {
    say(text, trust.anchors);
    say(text, trust.crls);
    text += std::to_string(static_cast<int>(trust.crl_policy)) + '/' +
            std::to_string(trust.crl_grace.count()) + '|';
}

}  // namespace

std::string tls_text(const ListenerConfig& listener) {
    std::string text = listener.http2 ? "h2|" : "|";
    if (!listener.tls) return text;
    for (const TlsIdentityConfig& identity : listener.tls->identities) say(text, identity);
    say(text, listener.tls->client_trust);
    return text + std::to_string(static_cast<int>(listener.tls->clients));
}

std::string tls_text(const UpstreamConfig& upstream) {
    std::string text = std::to_string(static_cast<int>(upstream.http2)) + '|';
    if (!upstream.tls) return text;
    say(text, upstream.tls->trust);
    if (upstream.tls->identity) say(text, *upstream.tls->identity);
    return text + upstream.tls->name;
}

void check_tls(const Config& config, Faults& faults) {
    const auto tickets = std::make_shared<TlsTicketKeys>();
    const auto attempt = [&faults](Place at, const auto& load) {
        try {
            const TlsContextPtr context = load();
            for (const std::string& warning : context->warnings()) faults.warning(at, warning);
        } catch (const std::exception& fault) {
            faults.error(at, fault.what());
        }
    };
    for (const ListenerConfig& listener : config.listeners) {
        if (!listener.tls) continue;
        attempt(listener.tls->at,
                [&] { return load_listener_tls(listener, config.directory, tickets); });
    }
    for (const UpstreamConfig& upstream : config.upstreams) {
        if (!upstream.tls) continue;
        attempt(upstream.tls->at, [&] { return load_upstream_tls(upstream, config.directory); });
    }
}

}  // namespace ra::app::config
