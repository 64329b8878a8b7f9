#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "ra/asn1/oids.h"
#include "ra/base/bytes.h"
#include "ra/base/result.h"

/// The values of the extensions that have a rule of their own (RFC 5280 4.2.1). Each function takes
/// the content of extnValue, borrows it, and returns the errors of the DER.
namespace policy {

namespace oid {
inline constexpr ra::asn1::Oid kSubjectAltName = ra::asn1::oid("2.5.29.17");
inline constexpr ra::asn1::Oid kKeyUsage = ra::asn1::oid("2.5.29.15");
inline constexpr ra::asn1::Oid kExtKeyUsage = ra::asn1::oid("2.5.29.37");
inline constexpr ra::asn1::Oid kAnyExtendedKeyUsage = ra::asn1::oid("2.5.29.37.0");
inline constexpr ra::asn1::Oid kBasicConstraints = ra::asn1::oid("2.5.29.19");
inline constexpr ra::asn1::Oid kReasonCode = ra::asn1::oid("2.5.29.21");
inline constexpr ra::asn1::Oid kRegInfoCertReq = ra::asn1::oid("1.3.6.1.5.5.7.5.2.2");
inline constexpr ra::asn1::Oid kMsExtensionRequest = ra::asn1::oid("1.3.6.1.4.1.311.2.1.14");
inline constexpr ra::asn1::Oid kSuppLangTags = ra::asn1::oid("1.3.6.1.5.5.7.4.16");
}  // namespace oid

/// GeneralName of a subjectAltName: choice number and content.
struct AltName {
    unsigned choice = 0;  // 1 rfc822Name, 2 dNSName, 6 uniformResourceIdentifier, 7 iPAddress
    ra::ByteView content;
    ra::ByteView whole;
};
[[nodiscard]] ra::Result<std::vector<AltName>> read_alt_names(ra::ByteView value);

/// OID contents of an extKeyUsage.
[[nodiscard]] ra::Result<std::vector<ra::ByteView>> read_ext_key_usage(ra::ByteView value);

/// KeyUsage, bit n as 1 << n.
[[nodiscard]] ra::Result<std::uint16_t> read_key_usage(ra::ByteView value);

/// cA of a basicConstraints.
[[nodiscard]] ra::Result<bool> read_is_ca(ra::ByteView value);

/// The value of the extension with this OID in any list of {id, critical, value}; nullopt: not
/// there.
template <class Extensions>
[[nodiscard]] std::optional<ra::ByteView> find_extension(const Extensions& extensions,
                                                         ra::ByteView id) {
    for (const auto& one : extensions) {
        if (ra::equal(one.id, id)) return one.value;
    }
    return std::nullopt;
}

}  // namespace policy
