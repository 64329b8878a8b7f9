#pragma once

#include "ra/asn1/oids.h"

/// OIDs of CMP, CRMF and what stands in their headers (spec of each: RFC 9810 App. F, RFC 4211, RFC
/// 9481).
namespace ra::cmp::oid {

using asn1::Oid;

inline constexpr Oid kImplicitConfirm = asn1::oid("1.3.6.1.5.5.7.4.13");
inline constexpr Oid kConfirmWaitTime = asn1::oid("1.3.6.1.5.5.7.4.14");
inline constexpr Oid kOrigPKIMessage = asn1::oid("1.3.6.1.5.5.7.4.15");
inline constexpr Oid kCaCerts = asn1::oid("1.3.6.1.5.5.7.4.17");
inline constexpr Oid kRootCaKeyUpdate = asn1::oid("1.3.6.1.5.5.7.4.18");
inline constexpr Oid kCertReqTemplate = asn1::oid("1.3.6.1.5.5.7.4.19");
inline constexpr Oid kRootCaCert = asn1::oid("1.3.6.1.5.5.7.4.20");
inline constexpr Oid kCertProfile = asn1::oid("1.3.6.1.5.5.7.4.21");
inline constexpr Oid kCrlStatusList = asn1::oid("1.3.6.1.5.5.7.4.22");
inline constexpr Oid kCrls = asn1::oid("1.3.6.1.5.5.7.4.23");
inline constexpr Oid kCurrentCrl = asn1::oid("1.3.6.1.5.5.7.4.6");
inline constexpr Oid kKemCiphertextInfo = asn1::oid("1.3.6.1.5.5.7.4.24");
inline constexpr Oid kRevPassphrase = asn1::oid("1.3.6.1.5.5.7.4.12");

inline constexpr Oid kOldCertId = asn1::oid("1.3.6.1.5.5.7.5.1.5");
inline constexpr Oid kAltCertTemplate = asn1::oid("1.3.6.1.5.5.7.5.1.7");
inline constexpr Oid kExtensionRequest = asn1::oid("1.2.840.113549.1.9.14");

inline constexpr Oid kPasswordBasedMac = asn1::oid("1.2.840.113533.7.66.13");
inline constexpr Oid kPbmac1 = asn1::oid("1.2.840.113549.1.5.14");
inline constexpr Oid kDhBasedMac = asn1::oid("1.2.840.113533.7.66.30");
inline constexpr Oid kKemBasedMac = asn1::oid("1.2.840.113533.7.66.16");

inline constexpr Oid kCmcCa = asn1::oid("1.3.6.1.5.5.7.3.27");
inline constexpr Oid kCmcRa = asn1::oid("1.3.6.1.5.5.7.3.28");
inline constexpr Oid kCmKga = asn1::oid("1.3.6.1.5.5.7.3.32");

}  // namespace ra::cmp::oid
