#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ra/app/config/faults.h"

namespace ra::app::config {

/// A TOML value with where it stands: what the rest of the configuration sees of the TOML library.
struct Node {
    enum class Kind { boolean, integer, text, array, table, other };

    struct Entry;

    Kind kind = Kind::other;
    Place at;
    bool boolean = false;
    std::int64_t integer = 0;
    std::string text;
    std::vector<Node> items;
    std::vector<Entry> entries;  // in the order of the file

    /// The entry of a table; null: not there.
    [[nodiscard]] const Node* find(std::string_view key) const noexcept;
};

struct Node::Entry {
    std::string key;
    Place at;  // of the key
    Node value;
};

/// A document that is no TOML.
class SyntaxError : public std::runtime_error {
public:
    SyntaxError(Place at, const std::string& what) : std::runtime_error(what), at_{at} {}
    [[nodiscard]] Place at() const noexcept { return at_; }

private:
    Place at_;
};

/// Parses TOML 1.0. Throws SyntaxError at the first fault.
[[nodiscard]] Node parse_toml(const std::string& text, const std::string& file);

}  // namespace ra::app::config
