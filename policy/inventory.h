#pragma once

#include <optional>
#include <vector>

#include "policy/stages.h"

/// What went through this gateway and counts for later requests: keys certified and certificates
/// revoked. Facts for decide(); the gateway fetches and keeps them (ra/gateway/ports.h).
namespace policy {

/// For whom a key was certified here (S-14).
///
/// Who asks with one certificate comes back with another: the one just issued. So the holders are
/// whoever asked and whoever can sign with what was issued. An RA asks for others and outlives its
/// own certificates: for it the subject decides, as it may for whoever comes with another secret.
struct KeyHolder {
    std::vector<Principal> principals;  // the first who asked, then the newest; at most 4
    ra::crypto::Sha256 subject{};       // subject_digest() of the newest certificate
    ra::WallTime until;                 // its notAfter; from then on the key is nobody's
    friend bool operator==(const KeyHolder&, const KeyHolder&) = default;
};
inline constexpr std::size_t kMostKeyHolders = 4;

/// Who a certificate's signatures make known (S-03): principal of all it protects.
[[nodiscard]] Principal signature_principal(const ra::crypto::Sha256& certificate_digest);

/// Names that are the same (same_name()) have the same digest, however they are written.
[[nodiscard]] ra::crypto::Sha256 subject_digest(ra::ByteView name);

/// What must be known to judge a request; nothing has been looked up yet.
struct InventoryPlan {
    std::optional<ra::crypto::Sha256> key;  // key_digest() of the one key asked for
};
/// Opaque requests need nothing: what nobody verified is not held against anybody (S-10).
[[nodiscard]] InventoryPlan plan_inventory(const ProvenRequest& request);

/// The world's answer to a plan.
struct InventoryFacts {
    std::optional<KeyHolder> holder;  // of plan.key; nullopt: not certified here
    bool signer_revoked = false;      // the protection certificate was revoked through this gateway
};

/// The holder once `issued` is certified for whoever sent `request`; nullopt: the key is another's.
[[nodiscard]] std::optional<KeyHolder> hold_key(const std::optional<KeyHolder>& known,
                                                const AuthenticMessage& request,
                                                const ra::asn1::CertificateView& issued,
                                                ra::WallTime now);

}  // namespace policy
