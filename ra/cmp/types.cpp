#include "ra/cmp/types.h"

#include <array>
#include <cstddef>

namespace ra::cmp {
namespace {

template <std::size_t N, class Enum>
std::string_view name_of(const std::array<std::string_view, N>& names, Enum value) noexcept {
    const auto index = static_cast<std::size_t>(value);
    return index < N ? names[index] : std::string_view{"unknown"};
}

constexpr std::array<std::string_view, kBodyTypes> kBodies = {
    "ir",     "ip",      "cr",     "cp",   "p10cr", "popdecc", "popdecr",  "kur",     "kup",
    "krr",    "krp",     "rr",     "rp",   "ccr",   "ccp",     "ckuann",   "cann",    "rann",
    "crlann", "pkiconf", "nested", "genm", "genp",  "error",   "certConf", "pollReq", "pollRep"};

constexpr std::array<std::string_view, 7> kStatuses = {
    "accepted",          "grantedWithMods",        "rejection",       "waiting",
    "revocationWarning", "revocationNotification", "keyUpdateWarning"};

constexpr std::array<std::string_view, 27> kFailures = {"badAlg",
                                                        "badMessageCheck",
                                                        "badRequest",
                                                        "badTime",
                                                        "badCertId",
                                                        "badDataFormat",
                                                        "wrongAuthority",
                                                        "incorrectData",
                                                        "missingTimeStamp",
                                                        "badPOP",
                                                        "certRevoked",
                                                        "certConfirmed",
                                                        "wrongIntegrity",
                                                        "badRecipientNonce",
                                                        "timeNotAvailable",
                                                        "unacceptedPolicy",
                                                        "unacceptedExtension",
                                                        "addInfoNotAvailable",
                                                        "badSenderNonce",
                                                        "badCertTemplate",
                                                        "signerNotTrusted",
                                                        "transactionIdInUse",
                                                        "unsupportedVersion",
                                                        "notAuthorized",
                                                        "systemUnavail",
                                                        "systemFailure",
                                                        "duplicateCertReq"};

}  // namespace

std::string_view to_string(BodyType type) noexcept { return name_of(kBodies, type); }
std::string_view to_string(PKIStatus status) noexcept { return name_of(kStatuses, status); }
std::string_view to_string(PKIFailureInfo info) noexcept { return name_of(kFailures, info); }

}  // namespace ra::cmp
