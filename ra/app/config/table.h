#pragma once

#include <chrono>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ra/app/config/keys.h"
#include "ra/app/config/toml_document.h"
#include "ra/app/config/values.h"

namespace ra::app::config {

/// Reads one TOML table strictly. A key nobody knows, a wrong type and a value out of range become
/// faults at their place; reading goes on with the default.
class Table {
public:
    /// Reports unknown keys at once, and `node` not being a table. All three outlive this.
    Table(const Node& node, Section section, Faults& faults);

    [[nodiscard]] bool has(std::string_view key) const { return get(key) != nullptr; }
    /// The value, of whatever type; null: not there.
    [[nodiscard]] const Node* get(std::string_view key) const;
    /// Where the value stands, or else the table.
    [[nodiscard]] Place at(std::string_view key) const;
    [[nodiscard]] Place at() const noexcept { return node_.at; }
    [[nodiscard]] Faults& faults() const noexcept { return faults_; }

    [[nodiscard]] bool boolean(std::string_view key, bool otherwise) const;
    [[nodiscard]] std::int64_t integer(std::string_view key, std::int64_t least, std::int64_t most,
                                       std::int64_t otherwise) const;
    /// A text ("15m") or a number of seconds.
    [[nodiscard]] std::chrono::seconds duration(std::string_view key, std::chrono::seconds least,
                                                std::chrono::seconds most,
                                                std::chrono::seconds otherwise) const;
    /// A text ("256KiB") or a number of octets.
    [[nodiscard]] std::size_t octets(std::string_view key, std::size_t least, std::size_t most,
                                     std::size_t otherwise) const;
    [[nodiscard]] std::optional<Located<std::string>> text(std::string_view key) const;
    /// A text or an array of texts.
    [[nodiscard]] std::vector<Located<std::string>> texts(std::string_view key) const;
    [[nodiscard]] std::optional<Located<Source>> source(std::string_view key) const;
    /// Of a private key: it may be in a token.
    [[nodiscard]] std::optional<Located<Source>> key_source(std::string_view key) const;
    [[nodiscard]] std::vector<Located<Source>> sources(std::string_view key) const;

    /// One word of a closed list.
    template <class T>
    [[nodiscard]] T choice(std::string_view key,
                           std::initializer_list<std::pair<std::string_view, T>> words,
                           T otherwise) const {
        const auto word = text(key);
        if (!word) return otherwise;
        for (const auto& [name, value] : words) {
            if (word->value == name) return value;
        }
        std::vector<std::string_view> names;
        for (const auto& [name, value] : words) names.push_back(name);
        not_one_of(key, *word, names);
        return otherwise;
    }

    /// The tables of an array of tables, in order.
    [[nodiscard]] std::vector<const Node*> tables(std::string_view key) const;

    /// Runs `parse`; what it throws (std::invalid_argument) becomes a fault at `at`.
    void attempt(Place at, const std::function<void()>& parse) const;

    /// Adds "KEY = WORD is not one of …" with what was probably meant.
    void not_one_of(std::string_view key, const Located<std::string>& word,
                    const std::vector<std::string_view>& names) const;

private:
    void wrong_type(std::string_view key, const Node& value, std::string_view wanted) const;
    [[nodiscard]] std::optional<Located<Source>> source_of(const Located<std::string>& text) const;

    const Node& node_;
    const SectionKeys& keys_;
    Faults& faults_;
};

}  // namespace ra::app::config
