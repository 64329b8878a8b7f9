#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "ra/base/time.h"

/// The texts of the configuration that mean something. Every parse function throws
/// std::invalid_argument with a message that says what was expected.
namespace ra::app::config {

/// "300s", "15m", "2h", "7d".
[[nodiscard]] std::chrono::seconds parse_duration(std::string_view text);

/// "4096", "256KiB", "16MiB", "1GiB".
[[nodiscard]] std::uint64_t parse_octets(std::string_view text);
/// "2027-01-31" (its first second, UTC) or "2027-01-31T12:00:00Z". Throws std::invalid_argument.
[[nodiscard]] WallTime parse_time(std::string_view text);
/// As parse_time() reads it, with the time of day.
[[nodiscard]] std::string time_text(WallTime time);

/// Where octets that do not belong into the file are to be had.
struct Source {
    enum class Kind : std::uint8_t {
        file,        // "file:PATH", relative to the configuration file
        env,         // "env:NAME": the variable holds the octets themselves
        credential,  // "credential:NAME": $CREDENTIALS_DIRECTORY/NAME (systemd LoadCredential=)
        pkcs11,      // "pkcs11:token=…;object=…": a private key in a token (RFC 7512)
    } kind{};
    std::string name;  // path, variable, credential name, or the whole pkcs11 URI

    /// Of octets that can be read: all kinds but pkcs11.
    [[nodiscard]] static Source parse(std::string_view text);
    /// Of a private key: all kinds.
    [[nodiscard]] static Source parse_key(std::string_view text);
    /// As it was written.
    [[nodiscard]] std::string text() const;
    friend bool operator==(const Source&, const Source&) = default;
};

/// The URL of a listener or an upstream.
struct Url {
    std::string scheme;  // lower case: "http", "tcps", "labca"
    std::string host;    // without brackets
    std::uint16_t port = 0;
    std::string path;  // "" or "/…"
    std::string text;

    /// Splits; "file:PATH" and "file:///PATH" have a path only. Which schemes and parts are allowed
    /// is the caller's business.
    [[nodiscard]] static Url parse(std::string_view text);

    [[nodiscard]] bool is_http() const noexcept { return scheme == "http" || scheme == "https"; }
    [[nodiscard]] bool is_tcp() const noexcept { return scheme == "tcp" || scheme == "tcps"; }
    [[nodiscard]] bool is_file() const noexcept { return scheme == "file"; }
    [[nodiscard]] bool is_mail() const noexcept { return scheme == "mail"; }
    /// Of a file url; relative ones begin at `base`.
    [[nodiscard]] std::string directory(const std::string& base) const;
    [[nodiscard]] bool is_coap() const noexcept { return scheme.starts_with("coap"); }
    /// Over TLS or DTLS.
    [[nodiscard]] bool is_secure() const noexcept {
        return scheme == "https" || scheme == "tcps" || scheme.starts_with("coaps");
    }
};

}  // namespace ra::app::config
