#include "transports/coap/paths.h"

#include <algorithm>
#include <array>
#include <utility>

#include "transports/common/labels.h"

namespace transports::coap {
namespace {

constexpr std::string_view kWellKnown = "/.well-known/cmp";
constexpr std::string_view kAnnouncements = "ann";

constexpr std::array<std::pair<ra::Operation, std::string_view>, 10> kLabels{{
    {ra::Operation::ir, "ir"},
    {ra::Operation::cr, "cr"},
    {ra::Operation::kur, "kur"},
    {ra::Operation::p10cr, "p10"},
    {ra::Operation::rr, "rr"},
    {ra::Operation::get_ca_certs, "crts"},
    {ra::Operation::get_root_update, "rcu"},
    {ra::Operation::get_cert_req_template, "att"},
    {ra::Operation::get_crls, "crls"},
    {ra::Operation::nested, "nest"},
}};

std::string decode(std::string_view segment) {
    std::string text;
    for (std::size_t i = 0; i < segment.size(); ++i) {
        const auto decoded = common::read_percent(segment.substr(i));
        text.push_back(decoded.value_or(segment[i]));
        if (decoded) i += 2;
    }
    return text;
}

using Segments = std::vector<std::string_view>;

/// "[p/<name>][/<operation>]", from `at` to before `end`.
std::optional<PathFacts> parse_tail(const Segments& segments, std::size_t at, std::size_t end) {
    PathFacts facts;
    if (end - at >= 2 && segments[at] == "p") {
        if (!common::is_label(segments[at + 1])) return std::nullopt;
        facts.label = segments[at + 1];
        at += 2;
    }
    if (at == end) return facts;
    if (at + 1 != end) return std::nullopt;
    if (segments[at] == kAnnouncements) {
        facts.announcements = true;
        return facts;
    }
    const auto operation = operation_of(segments[at]);
    if (!operation) return std::nullopt;
    facts.operation = *operation;
    return facts;
}

std::string encode(std::string_view label) {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    std::string text;
    for (const char c : label) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
        if (plain) {
            text.push_back(c);
            continue;
        }
        const auto octet = static_cast<unsigned char>(c);
        text += {'%', kDigits[octet >> 4U], kDigits[octet & 0x0fU]};
    }
    return text;
}

}  // namespace

std::string_view operation_label(ra::Operation operation) noexcept {
    for (const auto& [known, label] : kLabels) {
        if (known == operation) return label;
    }
    return {};
}

std::optional<ra::Operation> operation_of(std::string_view label) noexcept {
    for (const auto& [operation, known] : kLabels) {
        if (known == label) return operation;
    }
    return std::nullopt;
}

Bases served_bases(const std::vector<std::string>& aliases) {
    Bases bases{split_path(kWellKnown)};
    for (const std::string& alias : aliases) bases.push_back(split_path(alias));
    return bases;
}

std::optional<PathFacts> parse_path(const Segments& segments, const Bases& bases) {
    // "/cmp/" has an empty last segment.
    const bool slash = !segments.empty() && segments.back().empty();
    const std::size_t count = segments.size() - (slash ? 1 : 0);
    for (const std::vector<std::string>& base : bases) {
        if (count < base.size() || !std::equal(base.begin(), base.end(), segments.begin()))
            continue;
        if (auto facts = parse_tail(segments, base.size(), count)) return facts;
    }
    return std::nullopt;
}

std::vector<std::string> split_path(std::string_view path) {
    std::vector<std::string> segments;
    while (!path.empty()) {
        if (path.front() == '/') path.remove_prefix(1);
        const std::size_t end = std::min(path.find('/'), path.size());
        if (end != 0) segments.push_back(decode(path.substr(0, end)));
        path.remove_prefix(end);
    }
    return segments;
}

std::vector<std::string> render_path(std::string_view base, std::string_view label,
                                     ra::Operation operation) {
    std::vector<std::string> segments = split_path(base);
    if (!label.empty()) {
        segments.emplace_back("p");
        segments.emplace_back(label);
    }
    const std::string_view suffix = operation_label(operation);
    if (!suffix.empty()) segments.emplace_back(suffix);
    return segments;
}

std::string describe_links(const std::vector<std::string>& aliases,
                           const std::vector<std::string>& labels) {
    std::string text;
    const auto link = [&text](const std::string& path, std::string_view attributes) {
        if (!text.empty()) text += ',';
        text += '<' + path + '>';
        text += attributes;
    };
    std::vector<std::string> bases{std::string{kWellKnown}};
    bases.insert(bases.end(), aliases.begin(), aliases.end());
    for (std::string base : bases) {
        link(base, ";ct=259");
        if (base.ends_with('/')) base.pop_back();
        for (const std::string& label : labels) link(base + "/p/" + encode(label), ";ct=259");
    }
    link(std::string{kWellKnown} + "/ann", ";ct=259;obs");
    return text;
}

}  // namespace transports::coap
