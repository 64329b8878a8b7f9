#pragma once

#include "tests/policy/support.h"

/// Rows of request, profile and the refusal wanted; what the rows are made of.
namespace policy_test {

struct Row {
    const char* name;
    std::function<void(Request&, Profile&)> change;
    const char* rule;
    PKIFailureInfo info{};
};

inline void check_rows(std::span<const Row> rows) {
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Request request;
        Profile profile = device_profile();
        row.change(request, profile);
        check(judged(message_of(request), profile), row.rule, row.info);
    }
}

inline Bytes oid_tlv(std::string_view dotted) { return tlv(Tag::oid, asn1::parse_dotted(dotted)); }

/// CertId TLV of a certificate.
inline Bytes cert_id(const crypto::Certificate& named) {
    DerWriter writer;
    {
        const auto all = writer.open(Tag::sequence);
        writer.raw(cmp::general_name(named.view().issuer));
        writer.big_integer(named.view().serial);
    }
    return std::move(writer).take();
}

inline Bytes template_time(unsigned number, ra::WallTime time) {
    const std::string text = asn1::generalized_time(time);
    return tlv(asn1::context(number), tlv(Tag::generalized_time, ra::as_bytes(text)));
}
inline Bytes validity(std::optional<ra::WallTime> from, std::optional<ra::WallTime> until) {
    Bytes content;
    if (from) ra::append(content, template_time(0, *from));
    if (until) ra::append(content, template_time(1, *until));
    return tlv(asn1::context(4), content);
}

inline Bytes key_usage(std::uint16_t bits) { return crypto::key_usage_extension(bits); }
inline Bytes eku(std::string_view dotted) {
    return crypto::ext_key_usage_extension({asn1::parse_dotted(dotted)});
}

inline constexpr asn1::Oid kPolicies = asn1::oid("2.5.29.32");
inline constexpr asn1::Oid kRegToken = asn1::oid("1.3.6.1.5.5.7.5.1.1");
inline constexpr asn1::Oid kUtf8Pairs = asn1::oid("1.3.6.1.5.5.7.5.2.1");

}  // namespace policy_test
