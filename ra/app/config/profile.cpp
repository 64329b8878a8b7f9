#include <algorithm>

#include "ra/app/config/sections.h"
#include "ra/asn1/oids.h"

namespace ra::app::config {
namespace {

using cmp::BodyType;
using std::chrono::seconds;

constexpr seconds kDay{86'400};

/// Each text parsed by `Pattern::parse`; what does not parse is a fault at its own place.
template <class Pattern>
std::vector<Pattern> read_patterns(const Table& table, std::string_view key) {
    std::vector<Pattern> patterns;
    for (const Located<std::string>& written : table.texts(key)) {
        table.attempt(written.at, [&] { patterns.push_back(Pattern::parse(written.value)); });
    }
    return patterns;
}

/// Names without a sender to take them from: the ones that select, not the ones that are granted.
std::vector<policy::NamePattern> read_fixed_names(const Table& table, std::string_view key,
                                                  const std::vector<Located<std::string>>& texts) {
    std::vector<policy::NamePattern> patterns;
    for (const Located<std::string>& written : texts) {
        table.attempt(written.at, [&] {
            policy::NamePattern pattern = policy::NamePattern::parse(written.value);
            if (pattern.binds_sender()) {
                throw std::invalid_argument(std::string(key) +
                                            " names senders; ${sender.…} has no meaning in it");
            }
            patterns.push_back(std::move(pattern));
        });
    }
    return patterns;
}

void read_match(const Node& node, const std::vector<ListenerConfig>& listeners,
                policy::Match& match, Faults& faults) {
    const Table table{node, Section::match, faults};
    if (node.kind != Node::Kind::table) return;
    for (Located<std::string>& label : table.texts("label")) {
        if (label.value.find('/') != std::string::npos) {
            faults.error(label.at, "a label is one path segment: /.well-known/cmp/p/LABEL");
        }
        match.labels.push_back(std::move(label.value));
    }
    static const std::vector<std::string_view> kOperations = {"ir", "cr",   "kur", "p10cr",
                                                              "rr", "genm", "ccr", "nested"};
    for (const Located<std::string>& word : table.texts("operations")) {
        if (std::find(kOperations.begin(), kOperations.end(), word.value) == kOperations.end()) {
            table.not_one_of("operations", word, kOperations);
            continue;
        }
        for (unsigned type = 0; type < cmp::kBodyTypes; ++type) {
            if (cmp::to_string(static_cast<BodyType>(type)) == word.value)
                match.operations.set(type);
        }
    }
    for (Located<std::string>& name : table.texts("cert_profile"))
        match.cert_profiles.push_back(std::move(name.value));
    for (const Located<std::string>& name : table.texts("listener")) {
        const auto found = std::find_if(
            listeners.begin(), listeners.end(),
            [&](const ListenerConfig& listener) { return listener.name == name.value; });
        if (found == listeners.end()) {
            std::vector<std::string_view> names;
            for (const ListenerConfig& listener : listeners) names.push_back(listener.name);
            faults.error(name.at, "there is no listener " + in_quotes(name.value) +
                                      suggestion(name.value, names));
            continue;
        }
        match.listeners.push_back(static_cast<ListenerId>(found - listeners.begin()));
    }
    match.senders = read_fixed_names(table, "match.sender", table.texts("sender"));
}

void read_origin(const Table& profile, ProfileConfig& config) {
    using Kind = policy::OriginSettings::Kind;
    using Undated = policy::OriginSettings::Undated;
    policy::OriginSettings& origin = config.profile.origin;
    const Node* node = profile.get("origin");
    config.origin_at = profile.at("origin");
    if (node == nullptr) {
        profile.faults().error(profile.at(),
                               "[[profile]] has no origin: who may ask? Write "
                               "origin.signature.trust = \"file:device-roots.pem\"");
        return;
    }
    if (node->kind == Node::Kind::text) {
        if (node->text == "opaque") {
            origin.kind = Kind::opaque;
            origin.time_window = seconds{0};
        } else {
            profile.not_one_of("origin", {node->text, node->at}, {"opaque"});
        }
        return;
    }
    const Table table{*node, Section::origin, profile.faults()};
    if (node->kind != Node::Kind::table) return;
    if (table.boolean("opaque", false)) {
        origin.kind = Kind::opaque;
        for (const char* verified :
             {"signature", "mac", "sender_is_subject", "sender_is_reference", "undated"}) {
            if (table.has(verified))
                table.faults().error(table.at(verified), std::string{verified} +
                                                             " means nothing beside opaque = true: "
                                                             "nobody verifies these messages here");
        }
    }
    origin.sender_is_subject = table.boolean("sender_is_subject", origin.sender_is_subject);
    origin.time_window = table.duration("time_window", seconds{0}, kDay * 366, origin.time_window);
    origin.undated = table.choice<Undated>(
        "undated", {{"refuse", Undated::refuse}, {"remember", Undated::remember}}, origin.undated);
    using Mac = policy::OriginSettings::Mac;
    origin.mac = table.choice<Mac>("mac", {{"off", Mac::off}, {"secrets", Mac::secrets}}, Mac::off);
    origin.sender_is_reference = table.boolean("sender_is_reference", origin.sender_is_reference);
    if (origin.kind == Kind::opaque) return;
    const Node* signature = table.get("signature");
    if (signature == nullptr && origin.mac == Mac::secrets) return;
    if (signature == nullptr) {
        table.faults().error(node->at,
                             "origin has neither signature nor mac: absent trust refuses "
                             "everybody. Write signature = { trust = \"file:…\" }");
        return;
    }
    const Table signatures{*signature, Section::signature, profile.faults()};
    if (signature->kind != Node::Kind::table) return;
    config.origin_trust = read_trust(signatures);
    if (!signatures.has("trust")) {
        table.faults().error(signature->at,
                             "origin.signature has no trust: absent trust refuses everybody. Write "
                             "trust = \"file:device-roots.pem\"");
    } else if (config.origin_trust.anchors.empty() && signatures.get("trust")->items.empty() &&
               signatures.get("trust")->kind == Node::Kind::array) {
        table.faults().error(signatures.at("trust"), "trust is empty: that refuses everybody");
    }
}

void read_ra(const Node& node, ProfileConfig& config, Faults& faults) {
    const Table table{node, Section::ra, faults};
    if (node.kind != Node::Kind::table) return;
    policy::RaAuthority& ra = config.profile.ra;
    config.ra_trust = read_trust(table);
    ra.require_cmc_ra = table.boolean("require_cmc_ra", ra.require_cmc_ra);
    for (const Located<std::string>& word : table.texts("allow")) {
        if (word.value == "raVerified") {
            ra.ra_verified = true;
        } else if (word.value == "rr") {
            ra.rr_for_others = true;
        } else if (word.value == "subject") {
            ra.any_subject = true;
        } else if (word.value == "nested") {
            ra.nested = true;
        } else {
            table.not_one_of("allow", word, {"raVerified", "rr", "subject", "nested"});
        }
    }
    if (!table.has("trust"))
        faults.error(node.at, "profile.ra has no trust: nobody has this authority (S-11)");
    if (!table.has("allow"))
        faults.error(node.at,
                     "profile.ra has no allow: write allow = [\"raVerified\"], \"rr\", \"subject\" "
                     "or \"nested\"");
}

void read_rr(const Table& table, policy::Rules& rules) {
    std::vector<Located<std::string>> others = table.texts("rr");
    std::erase_if(others, [](const Located<std::string>& who) { return who.value == "own"; });
    rules.rr_senders = read_fixed_names(table, "rr", others);
    if (!table.has("rr_reasons")) return;
    // CRLReason (RFC 5280 5.3.1); 7 does not exist.
    static const std::vector<std::string_view> kReasons = {
        "unspecified",   "keyCompromise",        "cACompromise",    "affiliationChanged",
        "superseded",    "cessationOfOperation", "certificateHold", "",
        "removeFromCRL", "privilegeWithdrawn",   "aACompromise"};
    rules.rr_reasons.reset();
    for (const Located<std::string>& word : table.texts("rr_reasons")) {
        const auto found = std::find(kReasons.begin(), kReasons.end(), word.value);
        if (found == kReasons.end() || word.value.empty()) {
            std::vector<std::string_view> names = kReasons;
            std::erase(names, "");
            table.not_one_of("rr_reasons", word, names);
        } else {
            rules.rr_reasons.set(static_cast<std::size_t>(found - kReasons.begin()));
        }
    }
}

void read_rules(const Node& node, policy::Rules& rules, Faults& faults) {
    const Table table{node, Section::rules, faults};
    if (node.kind != Node::Kind::table) return;
    if (table.has("key")) rules.keys = read_patterns<policy::KeyPattern>(table, "key");
    rules.subjects = read_patterns<policy::NamePattern>(table, "subject");
    rules.issuers = read_fixed_names(table, "issuer", table.texts("issuer"));
    rules.san_dns = read_patterns<policy::DnsPattern>(table, "san_dns");
    rules.san_ip = read_patterns<policy::IpRange>(table, "san_ip");
    rules.san_email = read_patterns<policy::TextPattern>(table, "san_email");
    rules.san_uri = read_patterns<policy::TextPattern>(table, "san_uri");
    rules.eku = read_oids(table, "eku");
    rules.key_usage = read_key_usage(table, rules.key_usage);
    if (table.has("max_validity")) {
        rules.max_validity = table.duration("max_validity", seconds{60}, kDay * 36'600, kDay);
    }
    rules.max_backdate =
        table.duration("max_backdate", seconds{0}, kDay * 3660, rules.max_backdate);
    rules.ca = table.boolean("ca", rules.ca);
    rules.central_key_generation =
        table.boolean("central_key_generation", rules.central_key_generation);
    rules.implicit_confirm = table.boolean("implicit_confirm", rules.implicit_confirm);
    rules.duplicate_keys =
        table.choice<bool>("duplicate_keys", {{"refuse", false}, {"permit", true}}, false);
    rules.extensions = read_oids(table, "extensions");
    rules.controls = read_oids(table, "controls");
    rules.reg_info = read_oids(table, "reg_info");
    rules.attributes = read_oids(table, "attributes");
    rules.general_info = read_oids(table, "general_info");
    if (table.has("genm")) rules.genm_kinds = read_oids(table, "genm");
    read_rr(table, rules);
}

}  // namespace

std::uint16_t read_key_usage(const Table& table, std::uint16_t otherwise) {
    if (!table.has("key_usage")) return otherwise;
    static const std::vector<std::string_view> kBits = {
        "digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment", "keyAgreement",
        "keyCertSign",      "cRLSign",        "encipherOnly",    "decipherOnly"};
    unsigned bits = 0;
    for (const Located<std::string>& word : table.texts("key_usage")) {
        const auto found = std::find(kBits.begin(), kBits.end(), word.value);
        if (found == kBits.end()) {
            table.not_one_of("key_usage", word, kBits);
        } else {
            bits |= 1U << static_cast<unsigned>(found - kBits.begin());
        }
    }
    return static_cast<std::uint16_t>(bits);
}

ProfileConfig read_profile(const Node& node, std::size_t index,
                           const std::vector<ListenerConfig>& listeners, Faults& faults) {
    const Table table{node, Section::profile, faults};
    ProfileConfig config;
    config.at = config.subject_at = config.san_at = node.at;
    if (node.kind != Node::Kind::table) return config;
    policy::Profile& profile = config.profile;
    const auto name = table.text("name");
    profile.name = name ? name->value : "profile-" + std::to_string(index + 1);
    if (const Node* match = table.get("match"))
        read_match(*match, listeners, profile.match, faults);
    read_origin(table, config);
    profile.pop = table.choice<policy::Pop>(
        "pop", {{"required", policy::Pop::required}, {"optional", policy::Pop::optional}},
        policy::Pop::required);
    if (const Node* ra = table.get("ra")) read_ra(*ra, config, faults);

    for (const std::string_view key :
         {"ec:P-256", "ec:P-384", "ec:P-521", "ed25519", "ed448", "rsa>=3072"}) {
        profile.rules.keys.push_back(policy::KeyPattern::parse(key));
    }
    if (const Node* rules = table.get("rules")) {
        read_rules(*rules, profile.rules, faults);
        if (const Node* subject = rules->find("subject")) config.subject_at = subject->at;
        for (const std::string_view key : {"san_uri", "san_email", "san_dns"}) {
            if (const Node* san = rules->find(key)) config.san_at = san->at;
        }
    }
    profile.tls_client.subjects = read_fixed_names(table, "tls_client", table.texts("tls_client"));
    profile.tls_client.from_proxy = table.boolean("tls_client_from_proxy", false);
    if (profile.tls_client.from_proxy && !table.has("tls_client")) {
        faults.error(table.at("tls_client_from_proxy"),
                     "tls_client_from_proxy is said, but there is no tls_client");
    } else if (table.has("tls_client") && profile.tls_client.subjects.empty()) {
        faults.error(table.at("tls_client"),
                     "tls_client names nobody; \"*\" is whoever the listener's client_ca verified");
    }
    profile.require_profile_equals_label = table.boolean("cert_profile_is_label", false);
    profile.ee_trusts_ra = table.boolean("ee_trusts_ra", false);
    read_treatment(table, config);
    if (auto upstream = table.text("upstream")) {
        config.upstream = std::move(*upstream);
        profile.upstream = config.upstream.value;
    }
    if (profile.origin.kind == policy::OriginSettings::Kind::opaque) {
        for (const std::string_view key : {"pop", "ra", "rules", "amend"}) {
            if (table.has(key)) {
                faults.error(table.at(key), std::string(key) +
                                                " cannot be judged with origin = \"opaque\": "
                                                "nothing is verified, the message is only relayed");
            }
        }
    }
    return config;
}

}  // namespace ra::app::config
