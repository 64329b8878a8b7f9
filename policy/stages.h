#pragma once

#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "policy/decision.h"
#include "ra/base/arrival_facts.h"
#include "ra/cmp/body.h"
#include "ra/crypto/trust.h"

/// The types a message becomes on its way (design: The life of a message). Each can be made only by
/// the function that checks; a later stage cannot be called with an earlier type.
namespace policy {

struct Profile;
using ProfilePtr = std::shared_ptr<const Profile>;

/// Who a transaction belongs to (S-03): a digest over the kind of identity and the identity
/// (signature: the protection certificate; MAC: reference and generation of the secret; opaque:
/// senderKID or sender, and listener).
struct Principal {
    ra::crypto::Sha256 digest{};
    friend bool operator==(const Principal&, const Principal&) = default;
};

/// What select() may look at besides the message.
struct ArrivalFacts {
    ra::ListenerId listener{};
    std::string_view label;
    ra::Operation advised = ra::Operation::unspecified;
    const ra::TlsFacts* tls = nullptr;  // null: not over TLS
};

/// A message and the profile that applies. Grants nothing.
class ProfiledMessage {
public:
    [[nodiscard]] const ra::cmp::PKIMessage& message() const noexcept { return parsed_.message(); }
    [[nodiscard]] const Profile& profile() const noexcept { return *profile_; }
    [[nodiscard]] const ProfilePtr& profile_ptr() const noexcept { return profile_; }
    [[nodiscard]] const ra::cmp::ParsedMessage& parsed() const noexcept { return parsed_; }

private:
    friend class Access;
    ProfiledMessage(ra::cmp::ParsedMessage parsed, ProfilePtr profile)
        : parsed_{std::move(parsed)}, profile_{std::move(profile)} {}
    ra::cmp::ParsedMessage parsed_;
    ProfilePtr profile_;
};

/// Who sent it, as far as this profile lets that be known.
struct Origin {
    Principal principal;
    bool verified = false;                // false: origin = "opaque" (S-10)
    ra::crypto::CertificatePtr signer;    // null: opaque, or a MAC
    ra::crypto::CertificatePtr issuer;    // of the signer on the verified path; null likewise
    ra::Bytes reference;                  // of the secret of a MAC; empty: none
    ra::Bytes subject;                    // Name TLV the sender is known by: of the signer, or
                                          // CN=reference; empty: opaque
    std::optional<Principal> payer;       // whom a store counts it for; nullopt: the principal
    bool ra_authority = false;            // under the profile's `[profile.ra]` trust (S-11)
    ra::crypto::CertificatePtr approver;  // RA that nested the message; null: it came by itself
};

/// A message whose protection verified against what its profile trusts (or is opaque).
class AuthenticMessage {
public:
    [[nodiscard]] const ra::cmp::PKIMessage& message() const noexcept {
        return profiled_.message();
    }
    [[nodiscard]] const Profile& profile() const noexcept { return profiled_.profile(); }
    [[nodiscard]] const ProfiledMessage& profiled() const noexcept { return profiled_; }
    [[nodiscard]] const Origin& origin() const noexcept { return origin_; }

private:
    friend class Access;
    AuthenticMessage(ProfiledMessage profiled, Origin origin)
        : profiled_{std::move(profiled)}, origin_{std::move(origin)} {}
    ProfiledMessage profiled_;
    Origin origin_;
};

/// The body, parsed. monostate: bodies that are only relayed (opaque, krr, popdecr, …).
using Body =
    std::variant<std::monostate, std::vector<ra::cmp::CertReqMsg>, ra::cmp::CertificationRequest,
                 std::vector<ra::cmp::RevDetails>, std::vector<ra::cmp::InfoTypeAndValue>,
                 std::vector<ra::cmp::CertStatus>, std::vector<std::int64_t>>;

/// A request whose POP verified, or whose absence is explained (central key generation, opaque).
class ProvenRequest {
public:
    [[nodiscard]] const ra::cmp::PKIMessage& message() const noexcept {
        return authentic_.message();
    }
    [[nodiscard]] const Profile& profile() const noexcept { return authentic_.profile(); }
    [[nodiscard]] const AuthenticMessage& authentic() const noexcept { return authentic_; }
    [[nodiscard]] const Origin& origin() const noexcept { return authentic_.origin(); }
    [[nodiscard]] const Body& body() const noexcept { return body_; }

private:
    friend class Access;
    ProvenRequest(AuthenticMessage authentic, Body body)
        : authentic_{std::move(authentic)}, body_{std::move(body)} {}
    AuthenticMessage authentic_;
    Body body_;
};

}  // namespace policy
