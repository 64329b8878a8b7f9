#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ra/base/time.h"
#include "ra/crypto/certificate.h"

namespace ra::crypto {

/// What to do when a CRL is past nextUpdate or none covers an issuer (S-43).
enum class CrlPolicy : std::uint8_t { none, hard, soft };

/// The anchors, intermediates and CRLs one role trusts; immutable, made when configuration is read.
class TrustStore {
public:
    struct Files {
        std::vector<std::string> anchors;        // PEM or DER
        std::vector<std::string> intermediates;  // not trusted, help building paths
        std::vector<std::string> crls;
        CrlPolicy crl_policy = CrlPolicy::none;
        std::chrono::seconds crl_grace{0};  // with soft
    };
    /// Throws std::runtime_error naming file and fault; an empty anchor list is a fault (S-10).
    [[nodiscard]] static std::shared_ptr<const TrustStore> load(const Files& files);
    [[nodiscard]] static std::shared_ptr<const TrustStore> of(std::vector<CertificatePtr> anchors);

    /// Differs between any two stores of a process: part of the cache key (S-33).
    [[nodiscard]] std::uint64_t generation() const noexcept;
    [[nodiscard]] const std::vector<CertificatePtr>& anchors() const noexcept;
    /// The earliest nextUpdate of its CRLs; WallTime::max(): there are none.
    [[nodiscard]] WallTime crl_next_update() const noexcept;

    struct Impl;
    explicit TrustStore(std::unique_ptr<const Impl> impl);
    ~TrustStore();
    [[nodiscard]] const Impl& impl() const noexcept { return *impl_; }

private:
    std::unique_ptr<const Impl> impl_;
};
using TrustStorePtr = std::shared_ptr<const TrustStore>;

/// A path was found: the leaf, and its issuer on that path (the leaf itself if it is an anchor).
struct Chain {
    CertificatePtr leaf;
    CertificatePtr issuer;
    std::vector<CertificatePtr> path;  // leaf first, anchor last
};

/// Builds and verifies paths (RFC 5280, X509_verify_cert) and remembers positive verdicts until
/// min(notAfter on the path, nextUpdate of each CRL used, 5 min); negative ones per exact
/// extraCerts for 1 s (S-33). One per worker; not thread-safe. Bounded (LRU).
class ChainVerifier {
public:
    explicit ChainVerifier(const Clock& clock, std::size_t entries = 4096);
    ~ChainVerifier();

    /// The protection certificate is the first of `extra_certs` (Certificate TLVs one after
    /// another); the others, in any order, and the store's intermediates help.
    /// Path length <= 6. Errors: missing, not_trusted, expired, revoked, not_permitted, unsupported
    /// …
    [[nodiscard]] Result<Chain> verify(const TrustStore& trust, ByteView extra_certs);
    /// The same for one certificate with others to help.
    [[nodiscard]] Result<Chain> verify(const TrustStore& trust, ByteView leaf, ByteView others);

    /// Drops verdicts whose path holds the certificate with this issuer (Name TLV) and serialNumber
    /// (INTEGER content): it was revoked through us. Looks at all verdicts: for rare events.
    void forget(ByteView issuer, ByteView serial);
    /// Drops all (clock step, reload).
    void clear();

    struct Stats {
        std::uint64_t hits = 0, misses = 0, negative_hits = 0;
    };
    [[nodiscard]] const Stats& stats() const noexcept;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace ra::crypto
