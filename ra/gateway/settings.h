#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "policy/pipeline.h"
#include "ra/crypto/signer.h"
#include "ra/crypto/trust.h"
#include "ra/gateway/ports.h"
#include "ra/gateway/quirks.h"

namespace ra::gateway {

/// Who may answer for a CA (S-12): one of these, on a path to `trust`. A chain alone is no
/// authority.
struct ResponderAuthority {
    crypto::TrustStorePtr trust;                 // null: answers cannot be verified (opaque only)
    std::vector<crypto::CertificatePtr> pinned;  // exactly these certificates
    std::vector<std::pair<Bytes, Bytes>> names;  // issuer and subject, Name TLVs
    std::vector<Bytes> ekus;                     // OID contents, in a certificate issued
                                                 // directly by an anchor of `trust`
    bool secret_holder = false;  // also who protects with the MAC of the secret under which the
                                 // request, forwarded as is, verified here
};

/// One upstream as configuration describes it.
struct UpstreamSettings {
    std::string name;
    ResponderAuthority responder;
    crypto::CredentialPtr credential;              // signs what is ours towards it; null: none
    std::vector<crypto::CertificatePtr> ca_pubs;   // what it may deliver as trust anchor (S-13)
    std::chrono::seconds max_check_after{86'400};  // longer waits are refused (S-13)
    /// It answers later (a spool, an air-gapped CA): what devices are told to wait, and then to
    /// poll. nullopt: it answers at once, or says itself that it does not.
    std::optional<std::chrono::seconds> check_after;
    std::vector<ListenerId> announces_on;  // it may announce through these (RFC 9811 3.5)
    Quirks quirks;                         // what is let pass of this CA; default nothing
};

/// How a credential of ours gets its next certificate (renewal.h).
struct RenewalSettings {
    std::string upstream;
    std::string label;                           // of the path; empty: the bare one
    crypto::TrustStorePtr trust;                 // that the new certificate must chain to
    std::optional<std::chrono::seconds> before;  // its end; none: a third of its lifetime
    bool same_key = false;
    std::string key_kind;                      // of a new key; empty: like the one before
    std::chrono::seconds timeout{7 * 86'400};  // of one attempt, waiting for the CA included
};

/// An immutable snapshot of what the gateway does; replaced whole on reload.
struct Settings {
    std::uint64_t generation = 1;  // of this configuration within the process
    cmp::Limits limits;
    std::vector<policy::ProfilePtr> profiles;  // first match wins
    std::map<std::string, UpstreamSettings> upstreams;
    std::vector<crypto::CredentialPtr> credentials;  // all that are loaded
    /// What was renewed meanwhile: for the transactions that began with it (S-06), for nothing new.
    std::vector<crypto::CredentialPtr> superseded;
    std::map<std::string, RenewalSettings> renewals;  // by name of the credential
    crypto::CredentialPtr reply_credential;           // protects our own answers; null: unprotected
    std::string hop = "cmpgate";                      // names this hop in statusString
    std::chrono::seconds open_time{300};         // an open transaction without news ends
    std::chrono::seconds poll_time{7 * 86'400};  // one that waits for the CA
    std::chrono::seconds replay_horizon{900};    // beyond messageTime window and skew (S-05)
    std::size_t concurrent_exchanges = 4096;     // a worker; more are answered Overloaded
    unsigned signed_refusals_per_second = 200;   // to unauthenticated peers (S-31), a worker
};
using SettingsPtr = std::shared_ptr<const Settings>;

/// The one of that name; null: none.
[[nodiscard]] inline crypto::CredentialPtr credential_of(const Settings& settings,
                                                         std::string_view name) {
    for (const crypto::CredentialPtr& one : settings.credentials) {
        if (one->name == name) return one;
    }
    return nullptr;
}

}  // namespace ra::gateway
