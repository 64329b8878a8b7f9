#pragma once

#include <functional>
#include <string>

#include "ra/base/random.h"
#include "ra/gateway/outcome.h"
#include "ra/gateway/settings.h"

namespace ra::gateway {

/// A certificate of this gateway that is to be replaced.
struct RenewalRequest {
    crypto::CredentialPtr credential;      // protects the kur; still valid
    crypto::PrivateKeyPtr new_key;         // the old one where a token makes none
    UpstreamSettings upstream;             // who may answer
    crypto::TrustStorePtr trust;           // that the new certificate must chain to
    std::string label;                     // of the path; empty: the bare one
    Deadline deadline{};                   // for all of it, waiting for the CA included
    std::chrono::seconds answer_time{30};  // for one answer

    /// Puts key and certificate where they outlive a crash, before the CA is told that they are
    /// taken. On the CPU pool. Empty: done; else why not.
    std::function<std::string(const crypto::Credential&)> keep;
    /// Arms a call of `stop`, which has the renewal give up while it waits for the CA. False: it is
    /// to give up at once.
    std::function<bool(std::function<void()> stop)> until_stopped;
};

/// What renew() needs of its worker; all outlive it.
struct RenewalServices {
    CpuPool& cpu;
    const Clock& clock;
    Timers& timers;
    Random& random;
    crypto::ChainVerifier& chains;
};

struct Renewed {
    crypto::CredentialPtr credential;  // under the same name
    Quirks quirks;                     // of the CA, that were let pass
};

/// The gateway as an end entity of its CA: kur under the certificate being updated, same
/// subject, subjectAltName and extKeyUsage (RFC 9483 4.1.3), polled for while the CA says waiting,
/// kept, and confirmed. Answers are judged as those for devices are, and the new certificate must
/// chain to `trust`. A failure names the rule; `possibly_issued` where there may be a certificate
/// that nobody uses.
[[nodiscard]] asio::awaitable<Outcome<Renewed>> renew(RenewalRequest request, Upstream& to,
                                                      RenewalServices services,
                                                      const Settings& settings);

}  // namespace ra::gateway
