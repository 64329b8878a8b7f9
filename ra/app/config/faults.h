#pragma once

#include <compare>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ra::app::config {

/// Where something stands in the configuration file; both count from 1. {0, 0}: the file as a
/// whole.
struct Place {
    unsigned line = 0;
    unsigned column = 0;
    friend auto operator<=>(const Place&, const Place&) = default;
};

/// A value and where it was written.
template <class T>
struct Located {
    T value{};
    Place at;
    /// Says the same, wherever it stands.
    friend bool operator==(const Located& a, const Located& b) { return a.value == b.value; }
};

struct Fault {
    enum class Kind { error, warning } kind = Kind::error;
    Place at;
    std::string text;
};

/// Everything found wrong in one configuration, so that all of it is reported at once.
class Faults {
public:
    explicit Faults(std::string file) : file_{std::move(file)} {}

    void error(Place at, std::string text) { add({Fault::Kind::error, at, std::move(text)}); }
    void warning(Place at, std::string text) { add({Fault::Kind::warning, at, std::move(text)}); }

    [[nodiscard]] const std::string& file() const noexcept { return file_; }
    [[nodiscard]] bool has_errors() const noexcept { return errors_ != 0; }
    [[nodiscard]] std::size_t errors() const noexcept { return errors_; }
    [[nodiscard]] std::size_t warnings() const noexcept { return faults_.size() - errors_; }

    /// In the order of the file.
    [[nodiscard]] std::vector<Fault> sorted() const;
    /// "FILE:LINE:COLUMN: error: TEXT", one a line, in the order of the file.
    [[nodiscard]] std::string text() const;

private:
    void add(Fault fault);

    std::string file_;
    std::vector<Fault> faults_;
    std::size_t errors_ = 0;
};

/// The one of `known` that `word` was probably meant to be; empty: none is near.
[[nodiscard]] std::string_view nearest(std::string_view word,
                                       const std::vector<std::string_view>& known);

/// `; did you mean "x"?`, or empty.
[[nodiscard]] std::string suggestion(std::string_view word,
                                     const std::vector<std::string_view>& known);

/// For messages: in double quotes, control characters as \xNN, at most 80 octets.
[[nodiscard]] std::string in_quotes(std::string_view text);

}  // namespace ra::app::config
