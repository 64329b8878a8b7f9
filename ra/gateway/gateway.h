#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "policy/pipeline.h"
#include "ra/base/random.h"
#include "ra/crypto/signer.h"
#include "ra/crypto/trust.h"
#include "ra/exchange.h"
#include "ra/gateway/kdf_lane.h"
#include "ra/gateway/ports.h"

namespace ra::gateway {

class SecretGate;

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
    std::vector<crypto::CertificatePtr> ca_pubs;   // what it may deliver as trust anchor (S-13)
    std::chrono::seconds max_check_after{86'400};  // longer waits are refused (S-13)
};

/// An immutable snapshot of what the gateway does; replaced whole on reload.
struct Settings {
    cmp::Limits limits;
    std::vector<policy::ProfilePtr> profiles;  // first match wins
    std::map<std::string, UpstreamSettings> upstreams;
    crypto::CredentialPtr reply_credential;      // protects our own answers; null: unprotected
    std::string hop = "cmpgate";                 // names this hop in statusString
    std::chrono::seconds open_time{300};         // an open transaction without news ends
    std::chrono::seconds poll_time{7 * 86'400};  // one that waits for the CA
    std::chrono::seconds replay_horizon{900};    // beyond messageTime window and skew (S-05)
    std::size_t concurrent_exchanges = 4096;     // a worker; more are answered Overloaded
    unsigned signed_refusals_per_second = 200;   // to unauthenticated peers (S-31), a worker
};
using SettingsPtr = std::shared_ptr<const Settings>;

/// What the gateway needs, all outliving it; one set a worker (Store, Inventory and Audit are
/// shared).
struct Services {
    Store& store;
    Inventory& inventory;
    std::map<std::string, Upstream*> upstreams;
    Audit& audit;
    CpuPool& cpu;
    const Clock& clock;
    Timers& timers;
    Random& random;
    crypto::ChainVerifier& chains;
    SecretGate* secrets = nullptr;  // shared; null: no MAC verifies
    CpuPool* kdf_pool = nullptr;    // for slow key derivations; null: cpu
    KdfLane* kdf = nullptr;         // the gateway's own, which it sets
};

/// The gateway of one worker: takes a message from a device through origin, POP, policy, upstream
/// and back (design: The life of a message). Never lets a message go without exactly one answer,
/// one audit record, and an end of what it began. Not thread-safe; runs on its worker's executor.
class Gateway final : public Exchange {
public:
    Gateway(Services services, SettingsPtr settings);
    ~Gateway() override;

    asio::awaitable<Reply> exchange(Arrival arrival) override;

    /// From now on; messages under way finish under what they began with.
    void use(SettingsPtr settings) noexcept { settings_ = std::move(settings); }
    [[nodiscard]] std::size_t running() const noexcept { return running_; }

private:
    Services services_;
    KdfLane kdf_;
    SettingsPtr settings_;
    std::size_t running_ = 0;
    struct Budget {
        std::chrono::nanoseconds refilled{};
        double tokens = 0;
    } signed_refusals_;
    bool spend_signature();
};

}  // namespace ra::gateway
