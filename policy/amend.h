#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "policy/pattern.h"

namespace policy {

/// `amend`: how the treatment raverified completes or corrects what is asked for (RFC 4211 5). The
/// texts are templates: literal parts and `${sender.TYPE}`, which must then have exactly one value
/// in the subject of the certificate that protects the message (S-14).
struct Amendments {
    enum class Names : std::uint8_t { add, replace };

    std::optional<NamePattern> subject;
    Names names = Names::add;  // `san`: whether the asked alternative names stay
    std::vector<DnsPattern> san_dns;
    std::vector<TextPattern> san_email;
    std::vector<TextPattern> san_uri;
    std::vector<IpRange> san_ip;  // whole addresses
    std::optional<std::uint16_t> key_usage;
    std::vector<ra::Bytes> eku;  // OID contents; empty: as asked
    std::optional<std::chrono::seconds> max_validity;
    std::vector<ra::Bytes> drop;  // extensions left out

    [[nodiscard]] bool names_anything() const noexcept {
        return names == Names::replace || !san_dns.empty() || !san_email.empty() ||
               !san_uri.empty() || !san_ip.empty();
    }
    [[nodiscard]] bool empty() const noexcept {
        return !subject && !names_anything() && !key_usage && eku.empty() && !max_validity &&
               drop.empty();
    }
};

}  // namespace policy
