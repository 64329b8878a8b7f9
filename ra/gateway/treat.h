#pragma once

#include "policy/amended.h"
#include "ra/cmp/build.h"
#include "ra/gateway/gateway.h"
#include "ra/gateway/outcome.h"

namespace ra::gateway {

/// A permitted message on its way through treat(). Borrowed while that runs.
struct ToTreat {
    const cmp::PKIMessage& message;          // the device's
    const cmp::PKIMessage* outer = nullptr;  // nested that an RA put around it; null: none
    const policy::Amended* amended = nullptr;
    const Record& record;  // of its transaction: what it pinned
    bool orig_pki_message = false;
};

/// The octets for upstream: those received, or ours.
class Treated {
public:
    static Treated received(ByteView der) {
        Treated made;
        made.received_ = der;
        return made;
    }
    static Treated built(Bytes der) {
        Treated made;
        made.built_ = std::move(der);
        return made;
    }
    [[nodiscard]] ByteView der() const noexcept {
        return built_.empty() ? received_ : ByteView{built_};
    }

private:
    Treated() = default;
    Bytes built_;
    ByteView received_;
};

/// The message as its transaction's treatment wants it (RFC 9483 5.2). forward and unwrap: the
/// received octets. nest: around the message, with its transactionID and senderNonce.
/// reprotect, raverified: its body, or what policy made of it, under `credential`; transactionID,
/// nonces, pvno, recipient and generalInfo stay. `credential` signs; null only where
/// nothing is signed.
[[nodiscard]] asio::awaitable<Outcome<Treated>> treat(ToTreat wanted,
                                                      const crypto::Credential* credential,
                                                      WallTime now, CpuPool& cpu);

/// The credential a transaction pinned (S-06): `preferred` if it is that, else one kept beside it;
/// null: gone, or none was pinned.
[[nodiscard]] crypto::CredentialPtr find_credential(const Settings& settings,
                                                    const crypto::CredentialPtr& preferred,
                                                    const crypto::Sha256& pinned);

/// Header of a message that says again what `header` says, of now; without sender, protectionAlg
/// and senderKID.
[[nodiscard]] cmp::HeaderFields same_header(const cmp::PKIHeader& header, WallTime now);

}  // namespace ra::gateway
