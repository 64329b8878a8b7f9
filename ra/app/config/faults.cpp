#include "ra/app/config/faults.h"

#include <algorithm>
#include <array>
#include <tuple>

namespace ra::app::config {
namespace {

/// Damerau-Levenshtein (adjacent transpositions count one): how people mistype.
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> before(b.size() + 1);
    std::vector<std::size_t> last(b.size() + 1);
    std::vector<std::size_t> now(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        now[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t differs = a[i - 1] == b[j - 1] ? 0 : 1;
            now[j] = std::min({last[j] + 1, now[j - 1] + 1, last[j - 1] + differs});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                now[j] = std::min(now[j], before[j - 2] + 1);
            }
        }
        std::swap(before, last);
        std::swap(last, now);
    }
    return last[b.size()];
}

}  // namespace

void Faults::add(Fault fault) {
    if (fault.kind == Fault::Kind::error) ++errors_;
    faults_.push_back(std::move(fault));
}

std::vector<Fault> Faults::sorted() const {
    std::vector<Fault> sorted = faults_;
    std::sort(sorted.begin(), sorted.end(), [](const Fault& a, const Fault& b) {
        return std::tie(a.at, a.kind, a.text) < std::tie(b.at, b.kind, b.text);
    });
    return sorted;
}

std::string Faults::text() const {
    std::string text;
    for (const Fault& fault : sorted()) {
        text += file_;
        if (fault.at.line != 0) {
            text += ':' + std::to_string(fault.at.line) + ':' + std::to_string(fault.at.column);
        }
        text += fault.kind == Fault::Kind::error ? ": error: " : ": warning: ";
        text += fault.text + '\n';
    }
    return text;
}

std::string_view nearest(std::string_view word, const std::vector<std::string_view>& known) {
    std::string_view best;
    std::size_t best_distance = std::max<std::size_t>(2, (word.size() + 1) / 3) + 1;
    for (const std::string_view candidate : known) {
        // A shortened or lengthened word ("sub", "operation") is near whatever its length.
        const bool prefix = word.size() >= 3 && candidate.size() >= 3 &&
                            (candidate.starts_with(word) || word.starts_with(candidate));
        const std::size_t d = prefix ? 1 : distance(word, candidate);
        if (d < best_distance && d < candidate.size()) {
            best = candidate;
            best_distance = d;
        }
    }
    return best;
}

std::string suggestion(std::string_view word, const std::vector<std::string_view>& known) {
    const std::string_view meant = nearest(word, known);
    return meant.empty() ? std::string{} : "; did you mean \"" + std::string(meant) + "\"?";
}

std::string in_quotes(std::string_view text) {
    static constexpr std::size_t kShown = 80;
    static constexpr std::string_view kHex = "0123456789abcdef";
    std::string out = "\"";
    for (const char c : text.substr(0, kShown)) {
        const auto octet = static_cast<unsigned char>(c);
        if (octet < 0x20 || octet == 0x7f) {
            out += "\\x";
            out += kHex[octet >> 4U];
            out += kHex[octet & 15U];
        } else {
            out += c;
        }
    }
    if (text.size() > kShown) out += "…";
    return out + '"';
}

}  // namespace ra::app::config
