#include "ra/app/config/table.h"

#include <algorithm>
#include <stdexcept>

namespace ra::app::config {
namespace {

std::string_view name_of(Node::Kind kind) {
    switch (kind) {
        case Node::Kind::boolean:
            return "a boolean";
        case Node::Kind::integer:
            return "a number";
        case Node::Kind::text:
            return "a text";
        case Node::Kind::array:
            return "an array";
        case Node::Kind::table:
            return "a table";
        case Node::Kind::other:
            break;
    }
    return "something else";
}

}  // namespace

Table::Table(const Node& node, Section section, Faults& faults)
    : node_{node}, keys_{keys_of(section)}, faults_{faults} {
    if (node.kind != Node::Kind::table) {
        faults_.error(node.at, std::string(keys_.name) + " is a table, not " +
                                   std::string(name_of(node.kind)));
        return;
    }
    for (const Node::Entry& entry : node.entries) {
        if (std::find(keys_.keys.begin(), keys_.keys.end(), entry.key) != keys_.keys.end())
            continue;
        std::string text = "unknown key " + in_quotes(entry.key) + " in " + std::string(keys_.name);
        text += suggestion(entry.key, keys_.keys);
        faults_.error(entry.at, std::move(text));
    }
}

const Node* Table::get(std::string_view key) const {
    if (std::find(keys_.keys.begin(), keys_.keys.end(), key) == keys_.keys.end()) {
        throw std::logic_error("configuration key not listed: " + std::string(key));
    }
    return node_.find(key);
}

Place Table::at(std::string_view key) const {
    const Node* value = get(key);
    return value != nullptr ? value->at : node_.at;
}

void Table::wrong_type(std::string_view key, const Node& value, std::string_view wanted) const {
    faults_.error(value.at, std::string(key) + " is " + std::string(wanted) + ", not " +
                                std::string(name_of(value.kind)));
}

void Table::attempt(Place at, const std::function<void()>& parse) const {
    try {
        parse();
    } catch (const std::invalid_argument& fault) {
        faults_.error(at, fault.what());
    }
}

bool Table::boolean(std::string_view key, bool otherwise) const {
    const Node* value = get(key);
    if (value == nullptr) return otherwise;
    if (value->kind == Node::Kind::boolean) return value->boolean;
    wrong_type(key, *value, "true or false");
    return otherwise;
}

std::int64_t Table::integer(std::string_view key, std::int64_t least, std::int64_t most,
                            std::int64_t otherwise) const {
    const Node* value = get(key);
    if (value == nullptr) return otherwise;
    if (value->kind != Node::Kind::integer) {
        wrong_type(key, *value, "a number");
        return otherwise;
    }
    if (value->integer < least || value->integer > most) {
        faults_.error(value->at, std::string(key) + " = " + std::to_string(value->integer) +
                                     " is not within " + std::to_string(least) + ".." +
                                     std::to_string(most));
        return otherwise;
    }
    return value->integer;
}

std::chrono::seconds Table::duration(std::string_view key, std::chrono::seconds least,
                                     std::chrono::seconds most,
                                     std::chrono::seconds otherwise) const {
    const Node* value = get(key);
    if (value == nullptr) return otherwise;
    std::chrono::seconds duration{-1};
    if (value->kind == Node::Kind::integer) {
        duration = std::chrono::seconds{value->integer};
    } else if (value->kind == Node::Kind::text) {
        bool parsed = false;
        attempt(value->at, [&] {
            duration = parse_duration(value->text);
            parsed = true;
        });
        if (!parsed) return otherwise;
    } else {
        wrong_type(key, *value, "a duration (\"15m\")");
        return otherwise;
    }
    if (duration < least || duration > most) {
        faults_.error(value->at, std::string(key) + " is not within " +
                                     std::to_string(least.count()) + "s.." +
                                     std::to_string(most.count()) + "s");
        return otherwise;
    }
    return duration;
}

std::size_t Table::octets(std::string_view key, std::size_t least, std::size_t most,
                          std::size_t otherwise) const {
    const Node* value = get(key);
    if (value == nullptr) return otherwise;
    std::optional<std::uint64_t> octets;
    if (value->kind == Node::Kind::integer) {
        if (value->integer >= 0) octets = static_cast<std::uint64_t>(value->integer);
    } else if (value->kind == Node::Kind::text) {
        attempt(value->at, [&] { octets = parse_octets(value->text); });
        if (!octets) return otherwise;
    } else {
        wrong_type(key, *value, "a size (\"256KiB\")");
        return otherwise;
    }
    if (!octets || *octets < least || *octets > most) {
        faults_.error(value->at, std::string(key) + " is not within " + std::to_string(least) +
                                     ".." + std::to_string(most) + " octets");
        return otherwise;
    }
    return *octets;
}

std::optional<Located<std::string>> Table::text(std::string_view key) const {
    const Node* value = get(key);
    if (value == nullptr) return std::nullopt;
    if (value->kind != Node::Kind::text) {
        wrong_type(key, *value, "a text");
        return std::nullopt;
    }
    return Located<std::string>{value->text, value->at};
}

std::vector<Located<std::string>> Table::texts(std::string_view key) const {
    const Node* value = get(key);
    if (value == nullptr) return {};
    if (value->kind == Node::Kind::text) return {{value->text, value->at}};
    if (value->kind != Node::Kind::array) {
        wrong_type(key, *value, "a text or an array of texts");
        return {};
    }
    std::vector<Located<std::string>> texts;
    for (const Node& item : value->items) {
        if (item.kind != Node::Kind::text) {
            wrong_type(key, item, "made of texts");
            continue;
        }
        texts.push_back({item.text, item.at});
    }
    return texts;
}

std::optional<Located<Source>> Table::source_of(const Located<std::string>& text) const {
    std::optional<Located<Source>> source;
    attempt(text.at, [&] { source = Located<Source>{Source::parse(text.value), text.at}; });
    return source;
}

std::optional<Located<Source>> Table::source(std::string_view key) const {
    const auto written = text(key);
    return written ? source_of(*written) : std::nullopt;
}

std::optional<Located<Source>> Table::key_source(std::string_view key) const {
    std::optional<Located<Source>> source;
    if (const auto written = text(key)) {
        attempt(written->at,
                [&] { source = Located<Source>{Source::parse_key(written->value), written->at}; });
    }
    return source;
}

std::vector<Located<Source>> Table::sources(std::string_view key) const {
    std::vector<Located<Source>> sources;
    for (const Located<std::string>& written : texts(key)) {
        if (auto source = source_of(written)) sources.push_back(std::move(*source));
    }
    return sources;
}

std::vector<const Node*> Table::tables(std::string_view key) const {
    const Node* value = get(key);
    if (value == nullptr) return {};
    std::vector<const Node*> tables;
    if (value->kind == Node::Kind::array) {
        for (const Node& item : value->items) tables.push_back(&item);
    } else {
        faults_.error(value->at, std::string(key) + " may stand several times: write [[" +
                                     std::string(key) + "]] with two brackets");
        if (value->kind == Node::Kind::table) tables.push_back(value);  // for its own faults
    }
    return tables;
}

void Table::not_one_of(std::string_view key, const Located<std::string>& word,
                       const std::vector<std::string_view>& names) const {
    std::string text = std::string(key) + " = " + in_quotes(word.value) + " is not one of";
    for (std::size_t i = 0; i < names.size(); ++i) {
        text += (i == 0 ? " \"" : ", \"") + std::string(names[i]) + '"';
    }
    faults_.error(word.at, text + suggestion(word.value, names));
}

}  // namespace ra::app::config
