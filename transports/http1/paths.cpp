#include "transports/http1/paths.h"

#include <algorithm>
#include <array>
#include <utility>

#include "transports/common/labels.h"

namespace transports::http1 {
namespace {

constexpr std::array<std::pair<ra::Operation, std::string_view>, 10> kLabels{{
    {ra::Operation::ir, "initialization"},
    {ra::Operation::cr, "certification"},
    {ra::Operation::kur, "keyupdate"},
    {ra::Operation::p10cr, "pkcs10"},
    {ra::Operation::rr, "revocation"},
    {ra::Operation::get_ca_certs, "getcacerts"},
    {ra::Operation::get_root_update, "getrootupdate"},
    {ra::Operation::get_cert_req_template, "getcertreqtemplate"},
    {ra::Operation::get_crls, "getcrls"},
    {ra::Operation::nested, "nested"},
}};

bool is_unreserved(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

/// One path segment to the label it names.
std::optional<std::string> decode_label(std::string_view segment) {
    std::string label;
    for (std::size_t i = 0; i < segment.size(); ++i) {
        char c = segment[i];
        if (c == '%') {
            const auto decoded = common::read_percent(segment.substr(i));
            if (!decoded) return std::nullopt;
            c = *decoded;
            i += 2;
        }
        label.push_back(c);
    }
    if (!common::is_label(label)) return std::nullopt;
    return label;
}

/// Without scheme, authority, query and trailing slash.
std::string_view path_of(std::string_view target) noexcept {
    if (!target.starts_with('/')) {
        const auto scheme = target.find("://");
        if (scheme == std::string_view::npos) return {};
        const auto path = target.find('/', scheme + 3);
        target = path == std::string_view::npos ? std::string_view{"/"} : target.substr(path);
    }
    target = target.substr(0, target.find('?'));
    if (target.ends_with('/')) target.remove_suffix(1);
    return target;
}

/// "[/p/<name>][/<operation>]".
std::optional<PathFacts> parse_tail(std::string_view tail) {
    PathFacts facts;
    if (tail.starts_with("/p/")) {
        tail.remove_prefix(3);
        const auto end = std::min(tail.find('/'), tail.size());
        auto label = decode_label(tail.substr(0, end));
        if (!label) return std::nullopt;
        facts.label = std::move(*label);
        tail.remove_prefix(end);
    }
    if (tail.empty()) return facts;
    const auto operation = operation_of(tail.substr(1));
    if (!operation) return std::nullopt;
    facts.operation = *operation;
    return facts;
}

std::optional<PathFacts> parse_under(std::string_view path, std::string_view base) {
    if (base.ends_with('/')) base.remove_suffix(1);
    if (!path.starts_with(base)) return std::nullopt;
    path.remove_prefix(base.size());
    if (!path.empty() && !path.starts_with('/')) return std::nullopt;
    return parse_tail(path);
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

std::optional<PathFacts> parse_path(std::string_view target,
                                    const std::vector<std::string>& aliases) {
    if (target.empty()) return std::nullopt;
    const bool origin_form = target.starts_with('/');
    if (!origin_form && target.find("://") == std::string_view::npos) return std::nullopt;
    const std::string_view path = path_of(target);
    if (auto facts = parse_under(path, kWellKnown)) return facts;
    for (const std::string& alias : aliases) {
        if (auto facts = parse_under(path, alias)) return facts;
    }
    return std::nullopt;
}

std::string render_path(std::string_view base, std::string_view label, ra::Operation operation) {
    std::string path{base};
    const std::string_view suffix = operation_label(operation);
    if (label.empty() && suffix.empty()) return path.empty() ? "/" : path;
    if (path.ends_with('/')) path.pop_back();
    if (!label.empty()) {
        path += "/p/";
        constexpr char kDigits[] = "0123456789ABCDEF";
        for (const char c : label) {
            if (is_unreserved(c)) {
                path.push_back(c);
                continue;
            }
            const auto octet = static_cast<unsigned char>(c);
            path.push_back('%');
            path.push_back(kDigits[octet >> 4]);
            path.push_back(kDigits[octet & 0x0f]);
        }
    }
    if (!suffix.empty()) (path += '/') += suffix;
    return path;
}

}  // namespace transports::http1
