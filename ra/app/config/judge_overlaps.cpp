#include <algorithm>
#include <map>
#include <set>

#include "ra/app/config/judge.h"

namespace ra::app::config {
namespace {

bool is_opaque(const ProfileConfig& profile) {
    return profile.profile.origin.kind == policy::OriginSettings::Kind::opaque;
}

template <class Pattern>
std::set<std::string> texts_of(const std::vector<Pattern>& patterns) {
    std::set<std::string> texts;
    for (const Pattern& pattern : patterns) texts.insert(pattern.text);
    return texts;
}

/// What one accepts and the other refuses, as far as it can be seen without a message.
/// `same_texts`: names and keys are known to be the same.
std::string difference(const policy::Profile& a, const policy::Profile& b, bool same_texts) {
    if (!same_texts) {
        if (texts_of(a.rules.subjects) != texts_of(b.rules.subjects)) return "rules.subject";
        if (texts_of(a.rules.san_dns) != texts_of(b.rules.san_dns)) return "rules.san_dns";
        if (texts_of(a.rules.san_ip) != texts_of(b.rules.san_ip)) return "rules.san_ip";
        if (texts_of(a.rules.san_email) != texts_of(b.rules.san_email)) return "rules.san_email";
        if (texts_of(a.rules.san_uri) != texts_of(b.rules.san_uri)) return "rules.san_uri";
        if (texts_of(a.rules.keys) != texts_of(b.rules.keys)) return "rules.key";
    }
    if (a.rules.eku != b.rules.eku) return "rules.eku";
    if (a.rules.key_usage != b.rules.key_usage) return "rules.key_usage";
    if (a.rules.max_validity != b.rules.max_validity) return "rules.max_validity";
    if (a.rules.ca != b.rules.ca) return "rules.ca";
    if (a.pop != b.pop) return "pop";
    if (a.upstream != b.upstream) return "upstream";
    return {};
}

/// The rules of each profile as texts, made once.
std::string rules_text(const policy::Profile& profile) {
    std::string text;
    const auto add = [&text](const std::set<std::string>& texts) {
        for (const std::string& one : texts) (text += one) += '\n';
        text += '\f';
    };
    const policy::Rules& rules = profile.rules;
    for (const auto& texts :
         {texts_of(rules.subjects), texts_of(rules.san_dns), texts_of(rules.san_ip),
          texts_of(rules.san_email), texts_of(rules.san_uri), texts_of(rules.keys)})
        add(texts);
    return text;
}

}  // namespace

void judge_overlaps(const Config& config, Faults& faults) {
    static constexpr std::size_t kNamed = 3;
    std::map<std::string, std::vector<std::size_t>> by_anchor;  // profiles so far
    std::vector<std::string> rules;
    for (std::size_t j = 0; j < config.profiles.size(); ++j) {
        const ProfileConfig& b = config.profiles[j];
        rules.push_back(rules_text(b.profile));
        if (is_opaque(b)) continue;
        std::set<std::size_t> before;
        for (const Located<Source>& anchor : b.origin_trust.anchors) {
            std::vector<std::size_t>& same = by_anchor[anchor.value.text()];
            before.insert(same.begin(), same.end());
            same.push_back(j);
        }
        std::size_t others = 0;
        std::string named;
        std::string first_difference;
        for (const std::size_t i : before) {
            if (i == j) continue;
            const ProfileConfig& a = config.profiles[i];
            if (a.profile.require_profile_equals_label && b.profile.require_profile_equals_label)
                continue;
            if ((policy::operations_of(a.profile.match) & policy::operations_of(b.profile.match))
                    .none())
                continue;
            const std::string differs = difference(a.profile, b.profile, rules[i] == rules[j]);
            if (differs.empty()) continue;
            if (others == 0) first_difference = differs;
            if (others < kNamed)
                named.append(others == 0 ? "" : ", ").append(in_quotes(a.profile.name));
            ++others;
        }
        if (others == 0) continue;
        if (others > kNamed) named += " and " + std::to_string(others - kNamed) + " more";
        std::string text{"profiles "};
        text.append(named).append(" and ").append(in_quotes(b.profile.name));
        text.append(" trust the same devices and differ in ").append(first_difference);
        if (others > 1) text.append(" and the like");
        text.append(
            ": a device chooses by the path it uses, which nothing protects. Split the "
            "trust, or set cert_profile_is_label = true in both (S-16)");
        faults.warning(b.at, std::move(text));
    }
}

}  // namespace ra::app::config
