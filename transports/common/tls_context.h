#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ra/base/bytes.h"
#include "ra/base/secret.h"
#include "ra/base/time.h"
#include "transports/common/tls_tickets.h"

namespace transports::common {

/// What a TLS peer is verified with: octets of PEM or DER files.
struct TlsTrust {
    std::vector<ra::Bytes> anchors;
    std::vector<ra::Bytes> crls;  // any: every certificate of a path needs one that covers it
    std::optional<std::chrono::seconds> crl_grace;  // none: a CRL past nextUpdate refuses (S-43)
};

/// A certificate to show and its key.
struct TlsIdentity {
    ra::Bytes certificate;  // PEM or DER: own certificate first, then its chain
    ra::Secret key;         // PEM or DER
    ra::Secret passphrase;
    ra::Bytes ocsp_response;  // DER, stapled while it is fresh; empty: none
    std::string name;         // for messages: the file
};

struct TlsServerSettings {
    enum class Clients : std::uint8_t { off, optional, required };

    std::vector<TlsIdentity> identities;  // by host name (SNI); the first for all others
    Clients clients = Clients::off;       // certificates of clients
    TlsTrust client_trust;
    std::vector<std::string> protocols;  // ALPN, what we like best first
    std::string session_scope;           // sessions are resumed within it: the listener's name
};

struct TlsClientSettings {
    TlsTrust trust;  // nothing in it: nobody is trusted (S-10)
    std::optional<TlsIdentity> identity;
};

/// TLS 1.2 and 1.3 with the suites of RFC 9325, one side of it, loaded: certificates, keys, trust.
/// Immutable; shared by all workers; replaced whole when a file changes. A connection keeps the one
/// it began with.
class TlsContext {
public:
    /// Both throw std::runtime_error naming the file and the fault.
    [[nodiscard]] static std::shared_ptr<const TlsContext> server(
        const TlsServerSettings& settings, std::shared_ptr<TlsTicketKeys> tickets);
    [[nodiscard]] static std::shared_ptr<const TlsContext> client(
        const TlsClientSettings& settings);

    /// When the first of its certificates ends; of those it shows, not of those it trusts.
    struct Expiry {
        std::string name;
        ra::WallTime at;
    };
    [[nodiscard]] const std::vector<Expiry>& expiries() const noexcept;
    /// What a file that may be passed over said: a stale OCSP response.
    [[nodiscard]] const std::vector<std::string>& warnings() const noexcept;
    /// Differs between any two contexts with another trust.
    [[nodiscard]] std::uint64_t trust_id() const noexcept;

    struct Impl;
    explicit TlsContext(std::unique_ptr<Impl> impl);
    ~TlsContext();
    [[nodiscard]] const Impl& impl() const noexcept { return *impl_; }

private:
    std::unique_ptr<Impl> impl_;
};
using TlsContextPtr = std::shared_ptr<const TlsContext>;

}  // namespace transports::common
