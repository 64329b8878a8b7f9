#pragma once

#include <cstdint>
#include <string_view>

namespace ra::cmp {

/// The 27 choices of PKIBody (RFC 9810 5.1.2); the value is the tag number.
enum class BodyType : std::uint8_t {
    ir = 0,
    ip,
    cr,
    cp,
    p10cr,
    popdecc,
    popdecr,
    kur,
    kup,
    krr,
    krp,
    rr,
    rp,
    ccr,
    ccp,
    ckuann,
    cann,
    rann,
    crlann,
    pkiconf,
    nested,
    genm,
    genp,
    error,
    certConf,
    pollReq,
    pollRep,
};
inline constexpr unsigned kBodyTypes = 27;

/// The name of the RFC: "ir", "certConf".
std::string_view to_string(BodyType type) noexcept;

/// ir, cr, kur, ccr: the body is CertReqMessages.
constexpr bool is_cert_request(BodyType t) noexcept {
    return t == BodyType::ir || t == BodyType::cr || t == BodyType::kur || t == BodyType::ccr;
}
/// ip, cp, kup, ccp: the body is CertRepMessage.
constexpr bool is_cert_response(BodyType t) noexcept {
    return t == BodyType::ip || t == BodyType::cp || t == BodyType::kup || t == BodyType::ccp;
}
/// Requests that change the CA's state and go upstream at most once (S-04).
constexpr bool is_state_changing(BodyType t) noexcept {
    return is_cert_request(t) || t == BodyType::p10cr || t == BodyType::rr || t == BodyType::krr;
}
/// ckuann, cann, rann, crlann.
constexpr bool is_announcement(BodyType t) noexcept {
    return t >= BodyType::ckuann && t <= BodyType::crlann;
}

/// RFC 9810 5.2.3.
enum class PKIStatus : std::uint8_t {
    accepted = 0,
    grantedWithMods,
    rejection,
    waiting,
    revocationWarning,
    revocationNotification,
    keyUpdateWarning,
};
std::string_view to_string(PKIStatus status) noexcept;

/// Bit numbers of PKIFailureInfo (RFC 9810 5.2.3).
enum class PKIFailureInfo : std::uint8_t {
    badAlg = 0,
    badMessageCheck,
    badRequest,
    badTime,
    badCertId,
    badDataFormat,
    wrongAuthority,
    incorrectData,
    missingTimeStamp,
    badPOP,
    certRevoked,
    certConfirmed,
    wrongIntegrity,
    badRecipientNonce,
    timeNotAvailable,
    unacceptedPolicy,
    unacceptedExtension,
    addInfoNotAvailable,
    badSenderNonce,
    badCertTemplate,
    signerNotTrusted,
    transactionIdInUse,
    unsupportedVersion,
    notAuthorized,
    systemUnavail,
    systemFailure,
    duplicateCertReq,
};
std::string_view to_string(PKIFailureInfo info) noexcept;

}  // namespace ra::cmp
