#include "ra/app/config/values.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>
#include <span>
#include <stdexcept>

#include "ra/app/config/faults.h"

namespace ra::app::config {
namespace {

struct Unit {
    std::string_view name;
    std::uint64_t factor;
};

/// Digits and a unit. Overflow is a fault like any other.
std::optional<std::uint64_t> number_with_unit(std::string_view text, std::span<const Unit> units) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{}) return std::nullopt;
    const std::string_view unit{end, static_cast<std::size_t>(text.data() + text.size() - end)};
    for (const Unit& known : units) {
        if (unit != known.name) continue;
        if (number >
            static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) / known.factor) {
            return std::nullopt;
        }
        return number * known.factor;
    }
    return std::nullopt;
}

}  // namespace

std::chrono::seconds parse_duration(std::string_view text) {
    static constexpr std::array<Unit, 4> kUnits{{{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86'400}}};
    const auto seconds = number_with_unit(text, kUnits);
    if (!seconds) {
        throw std::invalid_argument(in_quotes(text) +
                                    " is no duration; write \"300s\", \"15m\", \"2h\" or \"7d\"");
    }
    return std::chrono::seconds{*seconds};
}

std::uint64_t parse_octets(std::string_view text) {
    static constexpr std::array<Unit, 4> kUnits{
        {{"", 1}, {"KiB", 1024}, {"MiB", 1024 * 1024}, {"GiB", 1024 * 1024 * 1024}}};
    const auto octets = number_with_unit(text, kUnits);
    if (!octets) {
        throw std::invalid_argument(in_quotes(text) +
                                    " is no size; write 4096, \"256KiB\", \"16MiB\" or \"1GiB\"");
    }
    return *octets;
}

WallTime parse_time(std::string_view text) {
    const auto fault = [&] {
        return std::invalid_argument(in_quotes(text) +
                                     " is no time; write 2027-01-31 or 2027-01-31T12:00:00Z");
    };
    const auto number = [&](std::size_t at, std::size_t size) {
        unsigned value = 0;
        const char* const begin = text.data() + at;
        const auto [end, error] = std::from_chars(begin, begin + size, value);
        if (error != std::errc{} || end != begin + size) throw fault();
        return value;
    };
    const bool with_time = text.size() == 20;
    if ((text.size() != 10 && !with_time) || text[4] != '-' || text[7] != '-') throw fault();
    const std::chrono::year_month_day day{std::chrono::year{static_cast<int>(number(0, 4))},
                                          std::chrono::month{number(5, 2)},
                                          std::chrono::day{number(8, 2)}};
    if (!day.ok()) throw fault();
    std::chrono::seconds of_day{0};
    if (with_time) {
        if (text[10] != 'T' || text[13] != ':' || text[16] != ':' || text[19] != 'Z') throw fault();
        const unsigned hour = number(11, 2);
        const unsigned minute = number(14, 2);
        const unsigned second = number(17, 2);
        if (hour > 23 || minute > 59 || second > 59) throw fault();
        of_day =
            std::chrono::hours{hour} + std::chrono::minutes{minute} + std::chrono::seconds{second};
    }
    return std::chrono::sys_days{day} + of_day;
}

std::string time_text(WallTime time) {
    const auto midnight = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day day{midnight};
    const std::chrono::hh_mm_ss of_day{time - midnight};
    const auto digits = [](unsigned value, std::size_t width) {
        std::string text = std::to_string(value);
        return std::string(width > text.size() ? width - text.size() : 0, '0') + text;
    };
    return digits(static_cast<unsigned>(static_cast<int>(day.year())), 4) + '-' +
           digits(static_cast<unsigned>(day.month()), 2) + '-' +
           digits(static_cast<unsigned>(day.day()), 2) + 'T' +
           digits(static_cast<unsigned>(of_day.hours().count()), 2) + ':' +
           digits(static_cast<unsigned>(of_day.minutes().count()), 2) + ':' +
           digits(static_cast<unsigned>(of_day.seconds().count()), 2) + 'Z';
}

Source Source::parse(std::string_view text) {
    static constexpr std::array<std::pair<std::string_view, Kind>, 3> kKinds{
        {{"file:", Kind::file}, {"env:", Kind::env}, {"credential:", Kind::credential}}};
    for (const auto& [prefix, kind] : kKinds) {
        if (!text.starts_with(prefix)) continue;
        const std::string_view name = text.substr(prefix.size());
        if (name.empty())
            throw std::invalid_argument("nothing stands after \"" + std::string(prefix) + "\"");
        if (kind == Kind::credential && name.find('/') != std::string_view::npos) {
            throw std::invalid_argument("a systemd credential is a name, without \"/\"");
        }
        return {kind, std::string(name)};
    }
    if (text.starts_with("pkcs11:")) {
        throw std::invalid_argument(
            "only a private key can be in a token; write file:, env: or credential: here");
    }
    if (text.find("-----BEGIN") != std::string_view::npos) {
        throw std::invalid_argument(
            "keys and certificates never stand in this file; write \"file:PATH\"");
    }
    throw std::invalid_argument(in_quotes(text) + " does not say where it is from; write \"file:" +
                                (text.size() <= 64 ? std::string(text) : "PATH") +
                                "\" (or env:NAME, credential:NAME)");
}

Source Source::parse_key(std::string_view text) {
    if (!text.starts_with("pkcs11:")) return parse(text);
    // RFC 7512 has attributes for the PIN; this file is no place for it.
    for (const std::string_view secret : {"pin-value=", "pin-source="}) {
        if (text.find(secret) != std::string_view::npos) {
            throw std::invalid_argument(
                "a PIN never stands in this file; name where it is in passphrase");
        }
    }
    if (text.find("object=") == std::string_view::npos &&
        text.find("id=") == std::string_view::npos)
        throw std::invalid_argument(
            "which key is it? write \"pkcs11:token=TOKEN;object=LABEL\" (or id=%01)");
    return {Kind::pkcs11, std::string(text)};
}

std::string Source::text() const {
    switch (kind) {
        case Kind::file:
            return "file:" + name;
        case Kind::env:
            return "env:" + name;
        case Kind::credential:
            return "credential:" + name;
        case Kind::pkcs11:
            break;
    }
    return name;
}

Url Url::parse(std::string_view text) {
    const auto fault = [&](std::string_view why) {
        return std::invalid_argument(in_quotes(text) + " is no URL: " + std::string(why));
    };
    Url url;
    url.text = std::string(text);
    const auto colon = text.find(':');
    if (colon == std::string_view::npos || colon == 0)
        throw fault("it has no scheme (\"http://…\")");
    url.scheme = std::string(text.substr(0, colon));
    std::transform(url.scheme.begin(), url.scheme.end(), url.scheme.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    std::string_view rest = text.substr(colon + 1);
    if (url.is_file()) {
        if (rest.starts_with("///")) rest.remove_prefix(2);
        if (rest.empty()) throw fault("it names no directory");
        if (rest.starts_with("//")) throw fault("a spool is on this machine: file:///PATH");
        url.path = std::string(rest);
        return url;
    }
    if (!rest.starts_with("//")) {  // "labca:" and other opaque ones
        url.path = std::string(rest);
        return url;
    }
    rest.remove_prefix(2);
    const auto slash = rest.find('/');
    std::string_view authority = rest.substr(0, slash);
    if (slash != std::string_view::npos) url.path = std::string(rest.substr(slash));
    if (url.path.find_first_of("?#") != std::string::npos ||
        authority.find_first_of("?#") != std::string_view::npos) {
        throw fault("a CMP URL has neither query nor fragment");
    }
    if (authority.find('@') != std::string_view::npos)
        throw fault("user and password have no place in it");

    std::string_view port;
    if (authority.starts_with('[')) {
        const auto close = authority.find(']');
        if (close == std::string_view::npos) throw fault("\"[\" is not closed");
        url.host = std::string(authority.substr(1, close - 1));
        authority.remove_prefix(close + 1);
        if (!authority.empty() && authority.front() != ':')
            throw fault("a \":port\" follows \"]\"");
        if (!authority.empty()) port = authority.substr(1);
        if (!authority.empty() && port.empty()) throw fault("the port is missing after \":\"");
    } else {
        const auto separator = authority.find(':');
        url.host = std::string(authority.substr(0, separator));
        if (separator != std::string_view::npos) {
            port = authority.substr(separator + 1);
            if (port.empty()) throw fault("the port is missing after \":\"");
            if (port.find(':') != std::string_view::npos)
                throw fault("an IPv6 address stands in brackets: http://[::1]:8080");
        }
    }
    if (url.host.empty()) throw fault("the host is missing");
    if (std::any_of(url.text.begin(), url.text.end(),
                    [](char c) { return c <= ' ' || c == 0x7f; })) {
        throw fault("blanks and control characters have no place in it");
    }
    if (url.is_coap()) {
        url.port = url.is_secure() ? 5684 : 5683;  // RFC 7252 6.1, 6.2, RFC 8323 8
    } else {
        url.port = url.is_tcp() ? 829 : url.is_secure() ? 443 : 80;
    }
    if (!port.empty()) {
        unsigned number = 0;
        const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
        if (error != std::errc{} || end != port.data() + port.size() || number > 65'535) {
            throw fault("the port is a number up to 65535");
        }
        url.port = static_cast<std::uint16_t>(number);
    }
    return url;
}

std::string Url::directory(const std::string& base) const {
    return path.starts_with('/') ? path : base + '/' + path;
}

}  // namespace ra::app::config
