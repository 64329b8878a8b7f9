#include "ra/app/config/sections.h"

#include <algorithm>

#include "ra/asn1/oids.h"

namespace ra::app::config {
namespace {

using std::chrono::seconds;

constexpr seconds kDay{86'400};
constexpr std::uint32_t kCoapPeers = 1024;  // libcoap looks through all of them often
constexpr seconds kCoapReceive{60};         // a client may retransmit a block for 45 s

std::string unknown_scheme(const Url& url, std::string_view known) {
    return "unknown scheme " + in_quotes(url.scheme) + "; this build has " + std::string(known);
}

void read_listener_url(const Table& table, ListenerConfig& listener) {
    const auto written = table.text("url");
    if (!written) {
        if (!table.has("url"))
            table.faults().error(table.at(),
                                 "[[listener]] has no url, as url = \"http://0.0.0.0:8080\"");
        return;
    }
    listener.at = written->at;
    table.attempt(written->at, [&] {
        const Url url = Url::parse(written->value);
        if (url.is_mail() && !url.path.empty()) {
            throw std::invalid_argument(
                "a listener for mail is \"mail:\" and nothing else; `cmpgate mail` brings it");
        }
        if (url.is_file() || url.is_mail()) {
            listener.url = url;
            return;
        }
        static const std::vector<std::string_view> kSchemes = {
            "http", "https", "tcp", "tcps", "coap", "coaps", "coap+tcp", "coaps+tcp"};
        if (std::find(kSchemes.begin(), kSchemes.end(), url.scheme) == kSchemes.end()) {
            throw std::invalid_argument(
                unknown_scheme(url,
                               "http(s), tcp(s), coap(s) and coap(s)+tcp, each ://ADDRESS:PORT, "
                               "file:DIRECTORY and mail:"));
        }
        if (!url.path.empty() && url.path != "/") {
            throw std::invalid_argument(
                url.is_tcp() ? "there are no paths over tcp; a label is named in label"
                             : "a listener's url ends after the port; it serves /.well-known/cmp, "
                               "further paths are named in aliases");
        }
        const bool numeric = url.host.find_first_not_of("0123456789.") == std::string::npos ||
                             url.host.find(':') != std::string::npos || url.host == "localhost";
        if (!numeric) {
            throw std::invalid_argument(
                in_quotes(url.host) +
                " is no address of this machine; write a numeric one, or 0.0.0.0 for all");
        }
        listener.url = url;
    });
}

}  // namespace

namespace {

/// Keys that mean nothing to a listener of this scheme: said, they would be relied on.
void refuse_foreign_keys(const Table& table, const ListenerConfig& listener) {
    const auto refuse = [&](std::initializer_list<std::string_view> keys, std::string_view whose) {
        for (const std::string_view key : keys) {
            if (table.has(key)) {
                table.faults().error(
                    table.at(key),
                    std::string(key) + " belongs to a listener for " + std::string(whose));
            }
        }
    };
    if (listener.url.text.empty()) return;  // another fault
    const bool coap = listener.url.is_coap();
    const bool paths = listener.url.is_http() || coap;
    if (!listener.url.is_http()) refuse({"max_requests", "http2"}, "http or https");
    if (!paths) refuse({"aliases"}, "http, https or coap");
    if (paths) refuse({"label"}, "tcp, tcps, file or mail");
    if (coap) refuse({"send_timeout", "proxy_protocol"}, "http, https, tcp or tcps");
    if (!listener.url.is_tcp()) refuse({"poll_after", "check_back"}, "tcp or tcps");
    if (!listener.url.is_file()) refuse({"at_once", "rescan"}, "file");
    if (listener.url.is_mail()) refuse({"receive_timeout"}, "tcp, http or file");
    if (listener.url.is_file() || listener.url.is_mail()) {
        refuse({"max_connections", "idle_timeout", "send_timeout", "tls", "proxy_protocol"},
               "connections");
    }
}

/// What is secure says how, and nothing else does.
void judge_listener_tls(const Table& table, const ListenerConfig& listener) {
    if (listener.url.text.empty() || listener.url.is_file() || listener.url.is_mail()) return;
    const std::string identity = "tls = { certificate = \"file:…\", key = \"file:…\" }";
    Faults& faults = table.faults();
    if (listener.url.is_coap() && listener.url.is_secure()) {
        if (!listener.tls && !listener.psk)
            faults.error(listener.at, "a " + listener.url.scheme + " listener needs " + identity +
                                          " or psk = \"secrets\"");
        return;
    }
    if (table.has("psk")) faults.error(table.at("psk"), "psk is said, but the url is not coaps://");
    if (listener.url.is_secure() && !listener.tls) {
        faults.error(listener.at, (listener.url.is_tcp() ? "a tcps listener needs "
                                                         : "an https listener needs ") +
                                      identity);
    } else if (!listener.url.is_secure() && listener.tls) {
        faults.error(table.at("tls"),
                     "tls is said, but the url is not https://, tcps:// or coaps://");
    }
}

/// One that a path could have.
void read_label(const Table& table, ListenerConfig& listener) {
    const auto label = table.text("label");
    if (!label) return;
    const bool plain = !label->value.empty() && label->value.size() <= 64 &&
                       std::all_of(label->value.begin(), label->value.end(), [](char c) {
                           return c > ' ' && c < 0x7f && c != '/' && c != '?' && c != '#';
                       });
    if (!plain)
        table.faults().error(label->at,
                             "label is 1 to 64 printable characters without blanks and \"/\"");
    listener.label = label->value;
}

}  // namespace

ListenerConfig read_listener(const Node& node, std::size_t index, Faults& faults) {
    const Table table{node, Section::listener, faults};
    ListenerConfig listener;
    listener.at = node.at;
    if (node.kind != Node::Kind::table) return listener;
    listener.name = read_name(table, "listener", index);
    listener.id = static_cast<ListenerId>(index);
    read_listener_url(table, listener);
    for (const Located<std::string>& alias : table.texts("aliases")) {
        if (!alias.value.starts_with('/') ||
            alias.value.find_first_of("?# ") != std::string::npos) {
            faults.error(alias.at,
                         in_quotes(alias.value) + " is no path; an alias begins with \"/\"");
        }
        listener.aliases.push_back(alias.value);
    }
    if (listener.url.is_coap()) {
        listener.max_connections = kCoapPeers;
        listener.receive_timeout = kCoapReceive;
    }
    listener.max_connections = static_cast<std::uint32_t>(
        table.integer("max_connections", 1, 1'000'000, listener.max_connections));
    listener.receive_timeout =
        table.duration("receive_timeout", seconds{1}, seconds{3600}, listener.receive_timeout);
    listener.idle_timeout = table.duration("idle_timeout", seconds{1}, kDay, listener.idle_timeout);
    listener.send_timeout =
        table.duration("send_timeout", seconds{1}, seconds{3600}, listener.send_timeout);
    listener.exchange_timeout =
        table.duration("exchange_timeout", seconds{1}, seconds{3600}, listener.exchange_timeout);
    listener.max_requests =
        static_cast<std::uint32_t>(table.integer("max_requests", 0, 1'000'000'000, 0));
    listener.http2 = table.boolean("http2", listener.http2);
    read_label(table, listener);
    if (table.has("poll_after"))
        listener.poll_after = table.duration("poll_after", seconds{1}, seconds{3600}, seconds{1});
    listener.check_back =
        table.duration("check_back", seconds{1}, seconds{3600}, listener.check_back);
    listener.at_once =
        static_cast<std::uint32_t>(table.integer("at_once", 1, 4096, listener.at_once));
    listener.rescan = table.duration("rescan", seconds{1}, seconds{3600}, listener.rescan);
    refuse_foreign_keys(table, listener);
    listener.proxy_networks = read_networks(table, "proxy_protocol");
    if (const Node* tls = table.get("tls")) listener.tls = read_listener_tls(*tls, faults);
    listener.psk = table.choice<bool>("psk", {{"secrets", true}}, false);
    judge_listener_tls(table, listener);
    return listener;
}

std::vector<Bytes> read_oids(const Table& table, std::string_view key) {
    std::vector<Bytes> oids;
    for (const Located<std::string>& written : table.texts(key)) {
        const bool is_dotted =
            !written.value.empty() && written.value.front() >= '0' && written.value.front() <= '9';
        Bytes oid =
            is_dotted ? asn1::parse_dotted(written.value) : asn1::oid_by_name(written.value);
        if (oid.empty()) {
            static const std::vector<std::string_view> kCommon = {
                "serverAuth",    "clientAuth",  "codeSigning", "emailProtection",
                "timeStamping",  "OCSPSigning", "cmcCA",       "cmcRA",
                "cmKGA",         "caCerts",     "rootCaCert",  "certReqTemplate",
                "crlStatusList", "currentCRL",  "oldCertID"};
            const std::string meant = suggestion(written.value, kCommon);
            table.faults().error(
                written.at, std::string(key) + ": " + in_quotes(written.value) +
                                " is no object identifier known by name" +
                                (meant.empty() ? "; write it dotted (1.3.6.1.5.5.7.3.2)" : meant));
            continue;
        }
        oids.push_back(std::move(oid));
    }
    return oids;
}

TrustConfig read_trust(const Table& table) {
    TrustConfig trust;
    trust.at = table.at("trust");
    trust.anchors = table.sources("trust");
    trust.intermediates = table.sources("intermediates");
    trust.crls = table.sources("crl");
    using Policy = crypto::CrlPolicy;
    // Stale or missing CRLs refuse unless said otherwise.
    trust.crl_policy =
        table.choice<Policy>("crl_policy", {{"hard", Policy::hard}, {"soft", Policy::soft}},
                             trust.crls.empty() ? Policy::none : Policy::hard);
    trust.crl_grace = table.duration("crl_grace", seconds{0}, kDay * 366, seconds{0});
    if (trust.crls.empty() && !table.has("crl")) {
        for (const std::string_view key : {"crl_policy", "crl_grace"}) {
            if (table.has(key))
                table.faults().error(table.at(key),
                                     std::string(key) + " is said, but there is no crl");
        }
    } else if (table.has("crl_grace") && trust.crl_policy != Policy::soft) {
        table.faults().error(table.at("crl_grace"), "crl_grace belongs to crl_policy = \"soft\"");
    }
    if (trust.anchors.empty() && !table.has("trust") &&
        (table.has("intermediates") || table.has("crl"))) {
        table.faults().error(table.at(),
                             "trust is missing: intermediates and CRLs are trusted by nothing");
    }
    return trust;
}

namespace {

ResponderConfig read_responder(const Table& upstream) {
    ResponderConfig responder;
    const Node* node = upstream.get("responder");
    responder.at = upstream.at("responder");
    if (node == nullptr) {
        responder.ekus.push_back(asn1::oid_by_name("cmcCA"));
        return responder;
    }
    const Table table{*node, Section::responder, upstream.faults()};
    if (node->kind != Node::Kind::table) return responder;
    responder.certificates = table.sources("certificate");
    responder.ekus = read_oids(table, "eku");
    if (auto issuer = table.text("issuer")) responder.issuer = issuer->value;
    if (auto subject = table.text("subject")) responder.subject = subject->value;
    responder.shared_secret = table.boolean("shared_secret", false);
    if (responder.issuer.has_value() != responder.subject.has_value()) {
        table.faults().error(node->at, "responder: issuer and subject go together");
    }
    if (node->entries.empty()) {
        table.faults().error(
            node->at,
            "responder says nobody: write { eku = \"cmcCA\" }, { certificate = \"file:…\" } or "
            "{ issuer = \"…\", subject = \"…\" }");
    }
    return responder;
}

void read_upstream_urls(const Table& table, UpstreamConfig& upstream) {
    if (!table.has("url")) {
        table.faults().error(table.at(),
                             "[[upstream]] has no url, as url = \"http://ca.example:8080/cmp\"");
    }
    for (const Located<std::string>& written : table.texts("url")) {
        table.attempt(written.at, [&] {
            Url url = Url::parse(written.value);
            if (url.scheme == "labca") {
                if (url.text != "labca:")
                    throw std::invalid_argument("the lab CA's url is \"labca:\" and nothing else");
            } else if (url.is_tcp()) {
                if (!url.path.empty() && url.path != "/")
                    throw std::invalid_argument("there are no paths over tcp");
                if (url.port == 0) throw std::invalid_argument("port 0 is nobody's");
            } else if (url.is_coap()) {
                if (url.port == 0) throw std::invalid_argument("port 0 is nobody's");
            } else if (!url.is_http() && !url.is_file()) {
                throw std::invalid_argument(unknown_scheme(
                    url,
                    "http(s)://, coap(s):// and coap(s)+tcp://HOST:PORT/PATH, tcp(s)://HOST:PORT, "
                    "file:DIRECTORY and labca:"));
            }
            upstream.urls.push_back(std::move(url));
        });
    }
    if (upstream.urls.size() > 16)
        table.faults().error(table.at("url"), "an upstream has at most 16 urls");
    if (upstream.urls.size() > 1 &&
        std::any_of(upstream.urls.begin(), upstream.urls.end(),
                    [](const Url& url) { return url.scheme == "labca"; })) {
        table.faults().error(table.at("url"),
                             "labca: stands alone: its transactions are in this process only");
    }
    if (upstream.urls.size() > 1 && std::any_of(upstream.urls.begin(), upstream.urls.end(),
                                                [](const Url& url) { return url.is_file(); })) {
        table.faults().error(table.at("url"),
                             "a spool stands alone: nobody can tell whether its CA is there");
    }
}

gateway::Quirks read_quirks(const Table& table) {
    gateway::Quirks quirks;
    static const std::vector<std::string_view> kNames{std::begin(gateway::kQuirkNames),
                                                      std::end(gateway::kQuirkNames)};
    for (const Located<std::string>& written : table.texts("quirks")) {
        const auto found = std::find(kNames.begin(), kNames.end(), written.value);
        if (found == kNames.end()) {
            table.not_one_of("quirks", written, kNames);
            continue;
        }
        quirks.add(static_cast<gateway::Quirk>(found - kNames.begin()));
    }
    return quirks;
}

UpstreamConfig::Breaker read_breaker(const Node& node, Faults& faults) {
    const Table table{node, Section::breaker, faults};
    UpstreamConfig::Breaker breaker;
    if (node.kind != Node::Kind::table) return breaker;
    breaker.failures =
        static_cast<std::uint32_t>(table.integer("failures", 0, 1'000'000, breaker.failures));
    breaker.shortest = table.duration("shortest", seconds{1}, kDay, breaker.shortest);
    breaker.longest = table.duration("longest", seconds{1}, kDay, breaker.longest);
    breaker.probe_timeout =
        table.duration("probe_timeout", seconds{1}, seconds{600}, breaker.probe_timeout);
    if (breaker.longest < breaker.shortest)
        faults.error(table.at("longest"), "longest is less than shortest");
    return breaker;
}

}  // namespace

UpstreamConfig read_upstream(const Node& node, std::size_t index, Faults& faults) {
    const Table table{node, Section::upstream, faults};
    UpstreamConfig upstream;
    upstream.at = node.at;
    if (node.kind != Node::Kind::table) return upstream;
    upstream.name = read_name(table, "upstream", index);
    read_upstream_urls(table, upstream);
    upstream.trust = read_trust(table);
    upstream.responder = read_responder(table);
    if (auto credential = table.text("credential")) upstream.credential = std::move(*credential);
    upstream.ca_pubs = table.sources("ca_pubs");
    upstream.announces_on = table.texts("announces_on");
    upstream.resend_identical =
        table.choice<bool>("resend", {{"never", false}, {"identical", true}}, false);
    if (table.has("append_labels")) upstream.append_labels = table.boolean("append_labels", false);
    upstream.max_check_after =
        table.duration("max_check_after", seconds{1}, kDay * 366, upstream.max_check_after);
    upstream.max_connections = static_cast<std::uint32_t>(
        table.integer("max_connections", 1, 65'535, upstream.max_connections));
    upstream.max_waiting = static_cast<std::uint32_t>(
        table.integer("max_waiting", 0, 1'000'000, upstream.max_waiting));
    upstream.connect_timeout =
        table.duration("connect_timeout", seconds{1}, seconds{600}, upstream.connect_timeout);
    upstream.idle_timeout = table.duration("idle_timeout", seconds{1}, kDay, upstream.idle_timeout);
    upstream.http2 =
        table.choice<UpstreamHttp2>("http2",
                                    {{"negotiated", UpstreamHttp2::negotiated},
                                     {"never", UpstreamHttp2::never},
                                     {"prior-knowledge", UpstreamHttp2::prior_knowledge}},
                                    upstream.http2);
    upstream.tcp_framing = table.choice<TcpFraming>(
        "tcp_framing", {{"versioned", TcpFraming::versioned}, {"rfc2510", TcpFraming::rfc2510}},
        upstream.tcp_framing);
    const auto any_url = [&upstream](auto is) {
        return std::any_of(upstream.urls.begin(), upstream.urls.end(), is);
    };
    if (table.has("tcp_framing") && !upstream.urls.empty() &&
        !any_url([](const Url& url) { return url.is_tcp(); }))
        faults.error(table.at("tcp_framing"), "tcp_framing is said, but no url is tcp(s)://");
    upstream.quirks = read_quirks(table);
    upstream.quirks_at = table.at("quirks");
    upstream.shared_state = table.boolean("shared_state", false);
    if (upstream.shared_state && upstream.urls.size() == 1) {
        faults.error(table.at("shared_state"), "shared_state is about several urls; there is one");
    }
    upstream.max_in_flight = static_cast<std::uint32_t>(
        table.integer("max_in_flight", 1, 1'000'000, upstream.max_in_flight));
    if (table.has("answer_timeout")) {
        upstream.answer_timeout =
            table.duration("answer_timeout", seconds{1}, seconds{3600}, seconds{30});
    }
    if (const Node* breaker = table.get("breaker"))
        upstream.breaker = read_breaker(*breaker, faults);
    upstream.check_after = table.duration("check_after", seconds{1}, kDay, upstream.check_after);
    upstream.patience = table.duration("patience", seconds{0}, seconds{600}, upstream.patience);
    for (const std::string_view key : {"check_after", "patience"}) {
        if (table.has(key) && !upstream.urls.empty() && !upstream.is_spool())
            faults.error(table.at(key), std::string(key) + " is said, but the url is not file:");
    }
    if (const Node* tls = table.get("tls")) upstream.tls = read_upstream_tls(*tls, faults);
    const bool secure = any_url([](const Url& url) { return url.is_secure(); });
    if (secure && !upstream.tls) {
        faults.error(table.at("url"), upstream.urls.front().scheme +
                                          " without tls = { trust = \"file:…\" }: absent trust "
                                          "refuses everybody");
    } else if (!secure && upstream.tls && !upstream.urls.empty()) {
        faults.error(table.at("tls"), "tls is said, but no url is https://, tcps:// or coaps://");
    }
    return upstream;
}

}  // namespace ra::app::config
