#pragma once

#include "policy/inventory.h"
#include "policy/profile.h"
#include "policy/stages.h"
#include "ra/cmp/limits.h"

/// The stages that are policy's: pure functions, facts in, decision out (no I/O, clock or lock).
namespace policy {

/// and what the parser cannot know: pvno, transactionID and senderNonce there
/// and of allowed size, recipNonce absent in first messages and present in others, body
/// types a downstream peer may send.
[[nodiscard]] Judged<void> check_header(const ra::cmp::PKIMessage& message,
                                        const ra::cmp::Limits& limits);

/// First profile that matches by listener, label, certProfile, operation and (claimed) sender.
/// `pinned`: for follow-ups, the profile of the transaction they name; it must still match listener
/// and label. No match: Refuse "no-profile" notAuthorized.
[[nodiscard]] Judged<ProfiledMessage> select(ra::cmp::ParsedMessage parsed,
                                             const ArrivalFacts& facts,
                                             const std::vector<ProfilePtr>& profiles,
                                             const ProfilePtr& pinned);

/// What must be known to judge the origin; nothing has been computed yet.
struct OriginPlan {
    enum class Kind : std::uint8_t { opaque, signature, mac };
    Kind kind{};
    const ra::crypto::TrustStore* trust = nullptr;  // of the profile; the profile keeps it alive
    const ra::crypto::TrustStore* ra_trust =
        nullptr;                      // likewise, for RA authority (S-11); null: none
    ra::crypto::MacParameters mac{};  // within the profile's limits (S-30)
    ra::Bytes reference{};            // of the secret: senderKID, else the CN of sender
};
/// Refuses kinds of protection the profile does not take (R-007, R-010: wrongIntegrity …), MAC
/// parameters out of the limits (S-30), messages that name no secret, and messageTime outside the
/// window, before any work.
[[nodiscard]] Judged<OriginPlan> plan_origin(const ProfiledMessage& message, ra::WallTime now);

/// The world's answer to a plan. `signer`: from extraCerts, or what the transaction keeps.
struct OriginFacts {
    ra::Result<ra::crypto::Chain> chain = ra::fail(ra::Errc::missing, "extraCerts");
    /// Of the same certificate under plan.ra_trust; not looked at if that is null.
    ra::Result<ra::crypto::Chain> ra_chain = ra::fail(ra::Errc::missing, "extraCerts");
    /// By the key of the leaf of whichever chain was found.
    ra::Result<void> signature = ra::fail(ra::Errc::missing, "protection");
    /// By the key derived from the secret of plan.reference; a failure of whatever cause looks the
    /// same to the peer (S-21).
    ra::Result<void> mac = ra::fail(ra::Errc::missing, "secret");
    std::uint64_t secret_generation = 0;
    std::string_view mac_detail;  // why it failed, for the log; a literal
    std::string_view peer;        // numeric address it came from; empty: none
};
/// R-011..R-017: chain, signature, senderKID, keyUsage, sender = subject; MAC, sender = reference.
/// Opaque: principal only.
[[nodiscard]] Judged<AuthenticMessage> conclude_origin(ProfiledMessage message,
                                                       const OriginPlan& plan,
                                                       const OriginFacts& facts,
                                                       ra::ListenerId listener);

/// How long a message without messageTime could still be replayed (S-05): as long as its signature
/// can be believed; of a secret, whose end is not known here, as long as anything (60 years).
[[nodiscard]] std::chrono::seconds replayable_for(const Origin& origin, ra::WallTime now);

/// Parses the body and verifies POP (POPOSigningKey, PKCS#10), raVerified only by RA authority
/// (S-11), R-051. Opaque profiles: the body is left alone.
[[nodiscard]] Judged<ProvenRequest> prove(AuthenticMessage message, const ra::cmp::Limits& limits);

/// The profile's rules over a proven request and what plan_inventory() asked for: default deny
/// (S-14, S-15, R-052, R-143, R-145, R-162).
[[nodiscard]] Decision decide(const ProvenRequest& request, ra::WallTime now,
                              const InventoryFacts& known = {});

/// Each rule's verdict, for `cmpgate check --explain`: the same functions as decide().
struct RuleVerdict {
    std::string_view rule;
    bool applies = true;
    Decision decision;
    std::string looked_at;  // what it saw, for people
};
[[nodiscard]] std::vector<RuleVerdict> explain(const ProvenRequest& request, ra::WallTime now,
                                               const InventoryFacts& known = {});

/// How a permitted first message goes upstream; what follows goes the way it went (S-06).
[[nodiscard]] Treatment choose_treatment(const ProvenRequest& request) noexcept;

/// Is an issued certificate within what was asked and what the profile permits (S-13)?
/// `request_der`: the request as kept, amended if it was. `sender_subject`: Name TLV of who asked,
/// for `${sender.…}`; empty: none. Returns a Refuse whose detail names the difference.
[[nodiscard]] Decision check_issued(const Profile& profile, const ra::asn1::CertificateView& issued,
                                    ra::ByteView request_der, ra::ByteView sender_subject,
                                    const ra::cmp::Limits& limits, bool granted_with_mods);

}  // namespace policy
