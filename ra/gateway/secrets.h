#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ra/base/secret.h"
#include "ra/base/time.h"
#include "ra/crypto/certificate.h"

/// Enrolment secrets: what MAC-based protection is verified with. One per reference (senderKID).
namespace ra::gateway {

namespace asio = boost::asio;

/// The use of a secret that a transaction holds (S-23). In a Record it names, with the
/// transactionID, what was reserved; a Store counts it.
struct SecretUse {
    enum class Fate : std::uint8_t {
        reserved,   // by begin(); whoever ends the transaction without saying more uses it up
        committed,  // a positive or waiting answer was kept: used up, for good
        returned,   // definitely refused: given back
    };
    crypto::Sha256 reference{};    // digest of the reference
    std::uint64_t generation = 0;  // which secret of that reference; never used again
    Fate fate = Fate::reserved;
    friend bool operator==(const SecretUse&, const SecretUse&) = default;
};

/// A secret as kept: what is true of it, not whether it may be used now.
struct KnownSecret {
    Secret octets;
    std::uint64_t generation = 0;
    std::string profile;  // good for this profile only; empty: any
    std::optional<WallTime> expires;
    std::optional<std::uint32_t> uses_left;  // nullopt: any number
    std::uint32_t reserved = 0;              // uses open transactions hold
    bool generated = false;                  // by us, >= 128 bit: guessing it is hopeless (S-22)
    bool locked = false;                     // by lock_secret()
};

struct NewSecret {
    Bytes reference;  // 1..64 octets
    Secret octets;
    std::string profile;
    WallTime created{};
    std::optional<WallTime> expires;
    std::optional<std::uint32_t> uses;  // nullopt: any number
    bool generated = false;
};

/// For people; the octets are shown once, by whoever made them.
struct SecretInfo {
    Bytes reference;
    std::uint64_t generation = 0;
    std::string profile;
    WallTime created{};
    std::optional<WallTime> expires;
    std::optional<std::uint32_t> uses;
    std::uint32_t used = 0, reserved = 0;
    bool generated = false, locked = false;
};

/// Where secrets are kept; the same object as the Store, which alone can reserve a use together
/// with a claim: Store::begin() of a Record with secret_use reserves it or returns
/// Full{"secret uses"} (none left) or Full{"secret"} (no such secret any more); advance() with fate
/// committed or returned settles it, once; release() gives it back; a record that finishes or
/// expires with a reserved use has used it up. Shared by all workers; every call is atomic.
/// Durable before it returns, sealed at rest (S-24), unless the store forgets everything anyway.
struct Secrets {
    virtual ~Secrets() = default;

    virtual asio::awaitable<std::optional<KnownSecret>> find_secret(ByteView reference) = 0;

    enum class Added : std::uint8_t { added, exists, full };
    /// `exists`: the reference has a secret (spent, expired or locked ones too): revoke it first.
    virtual asio::awaitable<Added> add_secret(NewSecret secret) = 0;
    /// In order of reference.
    virtual asio::awaitable<std::vector<SecretInfo>> list_secrets() = 0;
    /// Forgets it; transactions that hold a use end as they would. False: there was none.
    virtual asio::awaitable<bool> revoke_secret(ByteView reference) = 0;
    /// After too many failures (S-22), for good. False: no secret of this generation.
    virtual asio::awaitable<bool> lock_secret(ByteView reference, std::uint64_t generation) = 0;
};

}  // namespace ra::gateway
