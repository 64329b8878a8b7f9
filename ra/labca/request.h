#pragma once

#include <optional>

#include "ra/cmp/body.h"
#include "ra/crypto/certificate.h"
#include "ra/labca/refused.h"

namespace ra::labca {

/// What a request wants certified, checked and owned.
struct Wanted {
    cmp::BodyType answer{};  // ip, cp, kup
    std::int64_t cert_req_id = 0;
    Bytes subject;     // Name TLV
    Bytes spki;        // universal SubjectPublicKeyInfo TLV
    Bytes extensions;  // Extension TLVs copied from the request: SAN, EKU, keyUsage
    bool has_key_usage = false;
    bool left_out = false;  // asked for extensions that are not copied
    cmp::OptionalValidity validity;
};

/// The sender of a request, as far as judging needs it.
struct Requester {
    crypto::CertificatePtr certificate;  // that protected the request; null: a MAC did
    bool is_ra = false;                  // holds RA authority (S-11)
};

/// Judges an ir, cr or kur (exactly one CertReqMsg, certReqId 0), a p10cr: template, key, POP
/// (R-026, R-051..R-053). A kur's subject is that of the certificate it updates.
[[nodiscard]] Checked<Wanted> judge(const cmp::PKIMessage& request, const Requester& requester,
                                    const cmp::Limits& limits);

}  // namespace ra::labca
