#include "ra/app/config/toml_document.h"

#include <algorithm>
#include <sstream>
#include <toml.hpp>

namespace ra::app::config {
namespace {

#if TOML11_VERSION_MAJOR >= 4
Place place_of(const toml::value& value) {
    return {static_cast<unsigned>(value.location().first_line_number()),
            static_cast<unsigned>(value.location().first_column_number())};
}
std::string line_of(const toml::value& value) {
    const auto lines = value.location().lines();
    return lines.empty() ? std::string{} : lines.front();
}
#else
Place place_of(const toml::value& value) {
    return {static_cast<unsigned>(value.location().line()),
            static_cast<unsigned>(value.location().column())};
}
std::string line_of(const toml::value& value) { return value.location().line_str(); }
#endif

/// The library knows where a value stands; its key stands before it in the same line, or in it
/// where the value is a table of its own ("[log]").
Place place_of_key(const std::string& key, const toml::value& value) {
    const Place at = place_of(value);
    const std::string line = line_of(value);
    const auto before = at.column > 1 ? line.rfind(key, at.column - 2) : std::string::npos;
    if (before != std::string::npos) return {at.line, static_cast<unsigned>(before + 1)};
    const auto after = at.column > 0 ? line.find(key, at.column - 1) : std::string::npos;
    if (after != std::string::npos) return {at.line, static_cast<unsigned>(after + 1)};
    return at;
}

Node node_of(const toml::value& value) {
    Node node;
    node.at = place_of(value);
    if (value.is_boolean()) {
        node.kind = Node::Kind::boolean;
        node.boolean = value.as_boolean();
    } else if (value.is_integer()) {
        node.kind = Node::Kind::integer;
        node.integer = value.as_integer();
    } else if (value.is_string()) {
        node.kind = Node::Kind::text;
        node.text = toml::get<std::string>(value);
    } else if (value.is_array()) {
        node.kind = Node::Kind::array;
        for (const toml::value& item : value.as_array()) node.items.push_back(node_of(item));
    } else if (value.is_table()) {
        node.kind = Node::Kind::table;
        for (const auto& [key, entry] : value.as_table()) {
            node.entries.push_back({key, place_of_key(key, entry), node_of(entry)});
        }
        std::sort(node.entries.begin(), node.entries.end(),
                  [](const Node::Entry& a, const Node::Entry& b) { return a.at < b.at; });
    }
    return node;
}

/// The library's message is a picture: a title, and under each source line a row with `^` where the
/// fault is. The last such row is the fault; one line and a place are what editors understand.
SyntaxError syntax_error(const std::string& picture) {
    static constexpr std::string_view kTitle = "[error] ";
    std::istringstream rows{picture};
    std::string title;
    std::getline(rows, title);
    if (title.starts_with(kTitle)) title.erase(0, kTitle.size());
    if (title.starts_with("toml::")) title.erase(0, title.find(' ') + 1);

    Place at;
    unsigned line = 0;
    std::size_t margin = 0;
    for (std::string row; std::getline(rows, row);) {
        const auto bar = row.find('|');
        if (bar == std::string::npos) continue;
        const std::string number = row.substr(0, bar);
        if (number.find_first_of("0123456789") != std::string::npos) {
            line = static_cast<unsigned>(std::strtoul(number.c_str(), nullptr, 10));
            margin = bar + 2;
        } else if (const auto caret = row.find('^', bar);
                   line != 0 && caret != std::string::npos && caret >= margin) {
            at = {line, static_cast<unsigned>(caret - margin + 1)};
        }
    }
    return {at, title};
}

}  // namespace

const Node* Node::find(std::string_view key) const noexcept {
    for (const Entry& entry : entries) {
        if (entry.key == key) return &entry.value;
    }
    return nullptr;
}

Node parse_toml(const std::string& text, const std::string& file) {
    try {
        std::istringstream stream{text};
        return node_of(toml::parse(stream, file));
    } catch (const std::exception& fault) {
        throw syntax_error(fault.what());
    }
}

}  // namespace ra::app::config
