#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "ra/crypto/digest.h"

/// The lines of the audit trail: JSON objects, numbered, each with a MAC over itself and the one
/// before (S-42). What is changed, taken out or put in breaks the chain; what is cut off at the end
/// is noticed by a checkpoint that stands elsewhere.
namespace ra::app {

class AuditChain {
public:
    /// `key`: of the MACs, outliving this.
    AuditChain(ByteView key, std::string node, std::string boot)
        : key_{key}, node_{std::move(node)}, boot_{std::move(boot)} {}

    /// The first line of a file: binds it to the last line of the one before (`previous`, a MAC in
    /// hexadecimal; empty: none), and begins a chain of its own.
    [[nodiscard]] std::string begin(std::string_view time, std::string_view previous);
    /// The next line, with line break. `fields`: `,"name":value` one after another, JSON.
    [[nodiscard]] std::string line(std::string_view time, std::string_view kind,
                                   std::string_view fields);

    /// Of the last line.
    [[nodiscard]] std::uint64_t number() const noexcept { return number_; }
    [[nodiscard]] std::string mac() const { return to_hex(mac_); }
    [[nodiscard]] const std::string& node() const noexcept { return node_; }
    [[nodiscard]] const std::string& boot() const noexcept { return boot_; }

private:
    ByteView key_;
    std::string node_, boot_;
    std::uint64_t number_ = 0;
    crypto::Sha256 mac_{};
};

/// What a checkpoint signs: that line `number` of this boot of this node has this MAC.
[[nodiscard]] std::string checkpoint_text(std::string_view node, std::string_view boot,
                                          std::uint64_t number, std::string_view mac);

/// The MAC that a line ends with, in hexadecimal; empty: it is no line of a trail.
[[nodiscard]] std::string_view mac_of_line(std::string_view line) noexcept;
/// What that MAC is made over, besides the MAC before.
[[nodiscard]] std::string_view body_of_line(std::string_view line) noexcept;

}  // namespace ra::app
