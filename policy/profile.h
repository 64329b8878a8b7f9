#pragma once

#include <array>
#include <bitset>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "policy/amend.h"
#include "policy/pattern.h"
#include "policy/treatment.h"
#include "ra/base/arrival_facts.h"
#include "ra/cmp/oids.h"
#include "ra/cmp/types.h"
#include "ra/crypto/mac.h"
#include "ra/crypto/trust.h"

/// What a `[[profile]]` of the configuration says: pure data, filled once, shared and immutable.
/// What is not set permits nothing, unless its comment says otherwise.
namespace policy {

/// Which body types a profile serves. Follow-ups (certConf, pollReq) belong to their transaction.
using Operations = std::bitset<ra::cmp::kBodyTypes>;

/// `match`: every list that is not empty must hold; all empty: any message.
struct Match {
    std::vector<std::string> labels;         // exact; "": the bare path
    Operations operations;                   // none set: ir, cr, kur, p10cr, rr, genm
    std::vector<std::string> cert_profiles;  // names in the certProfile header (RFC 9810 5.1.1.4)
    std::vector<ra::ListenerId> listeners;
    std::vector<NamePattern> senders;  // of the claimed sender; no ${sender}
};

/// `origin`: how the sender becomes known.
struct OriginSettings {
    enum class Kind : std::uint8_t {
        opaque,     // not at all: relay what we cannot verify (S-10); only header and routing are
                    // judged
        signature,  // signature-based protection under `trust`, and MACs as `mac` says
    };
    /// Whose MAC-based protection is taken.
    enum class Mac : std::uint8_t {
        off,
        secrets,  // of whoever holds a secret of the store
    };
    /// What a first message without messageTime meets (S-05).
    enum class Undated : std::uint8_t { refuse, remember };

    Kind kind = Kind::signature;
    ra::crypto::TrustStorePtr trust;  // of signatures; null refuses them all
    Mac mac = Mac::off;
    ra::crypto::MacLimits mac_limits;
    bool sender_is_subject = true;
    bool sender_is_reference = true;  // R-011, of a MAC: sender is NULL-DN, or its CN the senderKID
    std::chrono::seconds time_window{
        300};  // |messageTime - now| at most, follow-ups too; 0: not looked at
    Undated undated = Undated::refuse;
};

/// `pop`.
enum class Pop : std::uint8_t {
    required,  // a signature that verifies (or raVerified by RA authority, or central key
               // generation)
    optional,  // also none, and POPs only the CA can check; a signature that is there must verify
};

/// `[profile.ra]`: who may act for others (S-11). Null trust: nobody.
struct RaAuthority {
    ra::crypto::TrustStorePtr trust;
    bool require_cmc_ra = true;  // its certificate has EKU id-kp-cmcRA
    bool ra_verified = false;    // allow = ["raVerified"]
    bool rr_for_others = false;  // allow = ["rr"]
    bool nested = false;         // allow = ["nested"]: its approval of others' messages counts
    bool any_subject =
        false;  // allow = ["subject"]: requests for subjects other than its own
};

/// KeyUsage bits: bit n of the named BIT STRING is 1 << n (RFC 5280 4.2.1.3).
inline constexpr std::uint16_t kDigitalSignature = 1U << 0;
inline constexpr std::uint16_t kNonRepudiation = 1U << 1;
inline constexpr std::uint16_t kKeyEncipherment = 1U << 2;
inline constexpr std::uint16_t kDataEncipherment = 1U << 3;
inline constexpr std::uint16_t kKeyAgreement = 1U << 4;
inline constexpr std::uint16_t kKeyCertSign = 1U << 5;
inline constexpr std::uint16_t kCrlSign = 1U << 6;
inline constexpr std::uint16_t kEncipherOnly = 1U << 7;
inline constexpr std::uint16_t kDecipherOnly = 1U << 8;

/// `rules`: what may be asked for. OIDs are contents of OBJECT IDENTIFIERs.
struct Rules {
    std::vector<KeyPattern> keys;
    std::vector<NamePattern> subjects;  // any of; none: exactly the sender's own subject
    std::vector<NamePattern>
        issuers;  // of a template that names its CA; always also that of the sender
    std::vector<DnsPattern> san_dns;
    std::vector<IpRange> san_ip;
    std::vector<TextPattern> san_email;
    std::vector<TextPattern> san_uri;
    std::vector<ra::Bytes> eku;
    std::uint16_t key_usage =
        kDigitalSignature | kNonRepudiation | kKeyEncipherment | kDataEncipherment | kKeyAgreement;
    std::optional<std::chrono::seconds> max_validity;  // none: as the CA likes
    std::chrono::seconds max_backdate{24 * 3600};      // of an asked-for notBefore
    bool ca = false;                                   // basicConstraints cA
    bool central_key_generation = false;
    bool implicit_confirm = true;  // may be asked for
    bool duplicate_keys = false;   // also keys certified here for another principal (S-14)

    // Let through unseen, beyond what has a rule of its own (S-15).
    std::vector<ra::Bytes> extensions;
    std::vector<ra::Bytes> controls;
    std::vector<ra::Bytes> reg_info;
    std::vector<ra::Bytes> attributes;  // of PKCS #10
    std::vector<ra::Bytes> general_info;

    std::vector<ra::Bytes> genm_kinds = {ra::to_bytes(ra::cmp::oid::kCaCerts.view()),
                                         ra::to_bytes(ra::cmp::oid::kRootCaCert.view()),
                                         ra::to_bytes(ra::cmp::oid::kCertReqTemplate.view()),
                                         ra::to_bytes(ra::cmp::oid::kCrlStatusList.view())};

    std::vector<NamePattern>
        rr_senders;  // may revoke others' certificates, besides RA authority; no ${sender}
    std::bitset<11> rr_reasons{
        0b111'0111'1111};  // CRLReason values (RFC 5280 5.3.1); 7 does not exist
};

/// `tls_client`: who the connection itself must belong to, beside the message's own protection,
/// which it never replaces.
struct TlsClient {
    std::vector<NamePattern> subjects;  // of the TLS client certificate, any of; none: not asked
    bool from_proxy = false;            // a PROXY header's word is enough (S-41)
};

struct Profile {
    std::string name;
    Match match;
    TlsClient tls_client;
    OriginSettings origin;
    Pop pop = Pop::required;
    RaAuthority ra;
    Rules rules;
    bool require_profile_equals_label =
        false;  // S-16: the protected certProfile names the unprotected label
    Treatments treatments;
    Amendments amend;
    bool orig_pki_message = false;  // what is re-protected carries the received message
    /// Its devices verify what this gateway says for itself: it may tell them to wait, also where
    /// the CA's own answer goes to them unchanged (S-47).
    bool ee_trusts_ra = false;
    std::string upstream;
    bool ca_knows_secrets = false;  // of the upstream: it can verify the devices' MACs itself
    std::uint64_t generation = 0;   // of the configuration it came from
};

/// The operations `match` means.
[[nodiscard]] Operations operations_of(const Match& match) noexcept;

}  // namespace policy
