#include <algorithm>

#include "ra/app/config/sections.h"

/// How a profile's messages go upstream: reading it, and what can be said against it without a
/// message.
namespace ra::app::config {
namespace {

using cmp::BodyType;
using policy::Treatment;
using std::chrono::seconds;

constexpr BodyType kOperations[] = {BodyType::ir,    BodyType::cr, BodyType::kur,
                                    BodyType::p10cr, BodyType::rr, BodyType::genm};

std::optional<Treatment> read_word(const Table& table, std::string_view key,
                                   const Located<std::string>& word, bool for_nested) {
    std::vector<std::string_view> names;
    for (const Treatment one : {Treatment::forward, Treatment::nest, Treatment::reprotect,
                                Treatment::raverified, Treatment::unwrap}) {
        if (one == Treatment::unwrap && !for_nested) continue;
        if (to_string(one) == word.value) return one;
        names.push_back(to_string(one));
    }
    table.not_one_of(key, word, names);
    return std::nullopt;
}

std::optional<Treatment> read_entry(const Table& table, std::string_view key) {
    const auto word = table.text(key);
    return word ? read_word(table, key, *word, key == "nested") : std::nullopt;
}

/// Templates: what is to be filled in must be known.
template <class Pattern>
std::vector<Pattern> read_templates(const Table& table, std::string_view key) {
    std::vector<Pattern> templates;
    for (const Located<std::string>& written : table.texts(key)) {
        table.attempt(written.at, [&] {
            if (written.value.find('*') != std::string::npos) {
                throw std::invalid_argument(std::string(key) +
                                            " of amend is a template: * has no value in it");
            }
            templates.push_back(Pattern::parse(written.value));
        });
    }
    return templates;
}

void read_amend(const Node& node, ProfileConfig& config, Faults& faults) {
    const Table table{node, Section::amend, faults};
    if (node.kind != Node::Kind::table) return;
    using Names = policy::Amendments::Names;
    policy::Amendments& amend = config.profile.amend;
    auto subjects = read_templates<policy::NamePattern>(table, "subject");
    if (subjects.size() > 1) faults.error(table.at("subject"), "amend.subject is one name");
    if (!subjects.empty()) amend.subject = std::move(subjects.front());
    amend.names =
        table.choice<Names>("san", {{"add", Names::add}, {"replace", Names::replace}}, amend.names);
    amend.san_dns = read_templates<policy::DnsPattern>(table, "san_dns");
    amend.san_email = read_templates<policy::TextPattern>(table, "san_email");
    amend.san_uri = read_templates<policy::TextPattern>(table, "san_uri");
    for (policy::IpRange& one : read_templates<policy::IpRange>(table, "san_ip")) {
        if (one.prefix != one.address.size() * 8) {
            faults.error(table.at("san_ip"), "amend.san_ip names addresses, not ranges");
        }
        amend.san_ip.push_back(std::move(one));
    }
    if (table.has("key_usage")) amend.key_usage = read_key_usage(table, 0);
    amend.eku = read_oids(table, "eku");
    amend.drop = read_oids(table, "drop_extensions");
    if (table.has("max_validity")) {
        constexpr seconds kDay{86'400};
        amend.max_validity = table.duration("max_validity", seconds{60}, kDay * 36'600, kDay);
    }
    if (amend.empty()) faults.error(node.at, "profile.amend amends nothing");
}

bool is_opaque(const ProfileConfig& config) {
    return config.profile.origin.kind == policy::OriginSettings::Kind::opaque;
}

/// The treatments a message of this type may get, by whatever protection it has.
std::vector<Treatment> possible(const policy::Treatments& treatments, BodyType type) {
    const auto& own = treatments.operation[static_cast<std::size_t>(type)];
    if (own) return {*own};
    std::vector<Treatment> all;
    for (const auto& one : {treatments.nested, treatments.mac, treatments.signature}) {
        if (one) all.push_back(*one);
    }
    // Each kind of protection has one of its own: nothing is left for the default.
    if (!treatments.mac || !treatments.signature) all.push_back(treatments.otherwise);
    return all;
}

bool any_of(const std::vector<Treatment>& all, bool (*which)(Treatment)) {
    return std::any_of(all.begin(), all.end(), which);
}

void judge_operations(const ProfileConfig& config, Faults& faults) {
    const policy::Profile& profile = config.profile;
    const policy::Operations served = policy::operations_of(profile.match);
    const auto serves = [&](BodyType type) { return served.test(static_cast<std::size_t>(type)); };
    const std::string name = "profile " + in_quotes(profile.name) + ": ";
    const Place kur_at = config.operation_treatment_at[static_cast<std::size_t>(BodyType::kur)];
    const auto replaced = [](Treatment one) { return policy::replaces_protection(one); };
    if (serves(BodyType::kur) && any_of(possible(profile.treatments, BodyType::kur), replaced)) {
        faults.error(kur_at == Place{} ? config.treatment_at : kur_at,
                     name +
                         "kur is never re-protected (RFC 9483 5.2.3): the certificate it updates "
                         "protects it. Write treatment = { kur = \"nest\", … } or \"forward\", or "
                         "leave kur out of match.operations");
    }
    if (!profile.rules.central_key_generation) return;
    for (const BodyType type : {BodyType::ir, BodyType::cr}) {
        const auto all = possible(profile.treatments, type);
        if (!serves(type) || !std::all_of(all.begin(), all.end(), replaced)) continue;
        faults.error(
            config.treatment_at,
            name +
                "rules.central_key_generation and re-protection exclude each other (RFC "
                "9483 5.2.1): how the key is delivered depends on the device's protection");
        break;
    }
}

}  // namespace

void read_treatment(const Table& profile, ProfileConfig& config) {
    config.treatment_at = profile.at("treatment");
    config.amend_at = profile.at("amend");
    policy::Treatments& treatments = config.profile.treatments;
    const Node* node = profile.get("treatment");
    if (node != nullptr && node->kind == Node::Kind::table) {
        const Table table{*node, Section::treatment, profile.faults()};
        if (const auto otherwise = read_entry(table, "default")) treatments.otherwise = *otherwise;
        treatments.nested = read_entry(table, "nested");
        treatments.mac = read_entry(table, "mac");
        treatments.signature = read_entry(table, "signature");
        for (const BodyType type : kOperations) {
            const auto index = static_cast<std::size_t>(type);
            treatments.operation[index] = read_entry(table, cmp::to_string(type));
            if (treatments.operation[index])
                config.operation_treatment_at[index] = table.at(cmp::to_string(type));
        }
    } else if (const auto word = profile.text("treatment")) {
        treatments.otherwise =
            read_word(profile, "treatment", *word, false).value_or(Treatment::forward);
    }
    config.profile.orig_pki_message = profile.boolean("orig_pki_message", false);
    if (const Node* amend = profile.get("amend")) read_amend(*amend, config, profile.faults());
}

void judge_treatment(const Config& config, const ProfileConfig& profile,
                     const UpstreamConfig* upstream, Faults& faults) {
    const policy::Treatments& treatments = profile.profile.treatments;
    const std::string name = "profile " + in_quotes(profile.profile.name) + ": ";
    std::vector<Treatment> all{treatments.otherwise};
    for (const auto& one : {treatments.nested, treatments.mac, treatments.signature}) {
        if (one) all.push_back(*one);
    }
    for (const auto& one : treatments.operation) {
        if (one) all.push_back(*one);
    }
    const auto is = [&all](Treatment wanted) {
        return std::find(all.begin(), all.end(), wanted) != all.end();
    };
    const bool signs = any_of(all, [](Treatment one) { return policy::signs(one); });
    const bool replaces =
        any_of(all, [](Treatment one) { return policy::replaces_protection(one); });
    if (upstream != nullptr && upstream->is_spool()) {
        const bool own_words = std::any_of(all.begin(), all.end(), [](Treatment one) {
            return !policy::replaces_protection(one);
        });
        if (own_words && !profile.profile.ee_trusts_ra) {
            faults.error(profile.treatment_at,
                         name + "upstream " + in_quotes(upstream->name) +
                             " is a spool: devices are told to wait, by this gateway. Write "
                             "ee_trusts_ra = true if they verify what it says for itself (S-47)");
        }
        if (config.reply_credential.value.empty() && config.credentials.size() != 1) {
            faults.error(profile.treatment_at,
                         name + "telling devices to wait needs a reply_credential that they trust");
        }
    }

    if (is_opaque(profile)) {
        if (signs || treatments.nested) {
            faults.error(profile.treatment_at,
                         name +
                             "origin = \"opaque\" can only forward: a signature of this gateway "
                             "would say that it verified what it did not (S-10)");
        }
        return;
    }
    judge_operations(profile, faults);
    if (signs && upstream != nullptr && upstream->credential.value.empty()) {
        faults.error(profile.treatment_at,
                     name + "the treatment signs, and upstream " + in_quotes(upstream->name) +
                         " has no credential. Write credential = \"…\" there");
    }
    if (replaces && config.reply_credential.value.empty() && config.credentials.size() != 1) {
        faults.error(profile.treatment_at,
                     name + "re-protected answers need a reply_credential that the devices trust");
    }
    if (treatments.nested && !profile.profile.ra.nested) {
        faults.error(profile.treatment_at,
                     name +
                         "treatment.nested is for what other RAs nest; nobody may: profile.ra "
                         "has no allow = [\"nested\"] (S-11)");
    }
    if (!profile.profile.amend.empty() && !is(Treatment::raverified)) {
        faults.error(profile.amend_at,
                     name + "amend changes nothing without the treatment \"raverified\"");
    }
    if (is(Treatment::raverified) && profile.profile.amend.empty()) {
        faults.error(profile.treatment_at,
                     name +
                         "\"raverified\" amends requests; say how in profile.amend, or write "
                         "\"reprotect\"");
    }
    if (profile.profile.orig_pki_message && !replaces) {
        faults.error(profile.treatment_at,
                     name + "orig_pki_message belongs to \"reprotect\" and \"raverified\"");
    }
}

}  // namespace ra::app::config
