#include "ra/app/config/sections.h"
#include "transports/common/networks.h"

namespace ra::app::config {
namespace {

using std::chrono::seconds;

constexpr seconds kLongestGrace{366L * 86'400};

/// Certificate and key, which go together. False: neither is there.
bool read_identity(const Table& table, TlsIdentityConfig& identity) {
    identity.at = table.at("certificate");
    auto certificate = table.source("certificate");
    auto key = table.source("key");
    if (certificate) identity.certificate = std::move(*certificate);
    if (key) identity.key = std::move(*key);
    identity.passphrase = table.source("passphrase");
    if (table.has("certificate") == table.has("key")) return table.has("certificate");
    const std::string_view missing = table.has("key") ? "certificate" : "key";
    table.faults().error(table.at(), "tls has no " + std::string(missing));
    return false;
}

/// `crl` and `crl_grace` beside what `anchors` names.
TrustConfig read_tls_trust(const Table& table, std::string_view anchors) {
    TrustConfig trust;
    trust.at = table.at(anchors);
    trust.anchors = table.sources(anchors);
    trust.crls = table.sources("crl");
    trust.crl_policy = table.has("crl_grace") ? crypto::CrlPolicy::soft : crypto::CrlPolicy::hard;
    trust.crl_grace = table.duration("crl_grace", seconds{0}, kLongestGrace, seconds{0});
    if (table.has("crl_grace") && !table.has("crl"))
        table.faults().error(table.at("crl_grace"), "crl_grace is said, but there is no crl");
    if (table.has("crl") && !table.has(anchors))
        table.faults().error(table.at("crl"),
                             "crl is said, but there is no " + std::string(anchors));
    return trust;
}

}  // namespace

ListenerTlsConfig read_listener_tls(const Node& node, Faults& faults) {
    using Clients = ListenerTlsConfig::Clients;
    const Table table{node, Section::listener_tls, faults};
    ListenerTlsConfig tls;
    tls.at = node.at;
    if (node.kind != Node::Kind::table) return tls;
    TlsIdentityConfig& first = tls.identities.emplace_back();
    if (!read_identity(table, first) && !table.has("certificate") && !table.has("key"))
        faults.error(node.at, "tls has no certificate and no key");
    first.ocsp = table.source("ocsp");
    for (const Node* entry : table.tables("sni")) {
        const Table more{*entry, Section::listener_sni, faults};
        TlsIdentityConfig& identity = tls.identities.emplace_back();
        if (!read_identity(more, identity) && !more.has("certificate") && !more.has("key"))
            faults.error(entry->at, "sni has no certificate and no key");
        identity.ocsp = more.source("ocsp");
    }
    tls.client_trust = read_tls_trust(table, "client_ca");
    const bool trusts = table.has("client_ca");
    tls.clients = table.choice<Clients>(
        "client_certificates",
        {{"off", Clients::off}, {"optional", Clients::optional}, {"required", Clients::required}},
        trusts ? Clients::required : Clients::off);
    if (tls.clients != Clients::off && !trusts) {
        faults.error(table.at("client_certificates"),
                     "client_certificates without client_ca: nobody is trusted to issue them");
    } else if (tls.clients == Clients::off && trusts) {
        faults.error(table.at("client_certificates"),
                     "client_ca is said, but client_certificates are off");
    }
    return tls;
}

UpstreamTlsConfig read_upstream_tls(const Node& node, Faults& faults) {
    const Table table{node, Section::upstream_tls, faults};
    UpstreamTlsConfig tls;
    tls.at = node.at;
    if (node.kind != Node::Kind::table) return tls;
    tls.trust = read_tls_trust(table, "trust");
    if (!table.has("trust"))
        faults.error(node.at, "upstream.tls has no trust: absent trust refuses everybody");
    TlsIdentityConfig identity;
    if (read_identity(table, identity)) tls.identity = std::move(identity);
    if (const auto name = table.text("name")) {
        tls.name = name->value;
        const bool plain = !tls.name.empty() && tls.name.size() <= 253 &&
                           tls.name.find_first_of(" /\\*@") == std::string::npos;
        if (!plain) faults.error(name->at, "name is a host name, as \"ca.example\"");
    }
    return tls;
}

std::vector<Located<std::string>> read_networks(const Table& table, std::string_view key) {
    std::vector<Located<std::string>> networks;
    for (Located<std::string>& written : table.texts(key)) {
        table.attempt(written.at, [&] {
            (void)transports::common::Network::parse(written.value);
            networks.push_back(std::move(written));
        });
    }
    return networks;
}

}  // namespace ra::app::config
