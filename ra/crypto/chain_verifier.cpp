#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>

#include "ra/crypto/lru.h"
#include "ra/crypto/trust_impl.h"

namespace ra::crypto {
namespace {

constexpr auto kMostVerdictAge = std::chrono::minutes{5};  // S-33
constexpr auto kNegativeAge = std::chrono::seconds{1};
constexpr int kMostPath = 6;  // S-30
constexpr std::size_t kMostHelpers = 16;

struct Positive {
    Chain chain;
    WallTime until;
};
struct Negative {
    Error error;
    BootTime until;
};

/// The verdict depends on which store said it.
Sha256 key_of(const TrustStore& trust, ByteView octets) {
    std::uint8_t generation[8];
    const std::uint64_t value = trust.generation();
    std::memcpy(generation, &value, sizeof generation);
    return sha256(generation, octets);
}

Errc code_of(int error) noexcept {
    switch (error) {
        case X509_V_ERR_CERT_REVOKED:
            return Errc::revoked;
        case X509_V_ERR_CERT_HAS_EXPIRED:
        case X509_V_ERR_CERT_NOT_YET_VALID:
            return Errc::expired;
        // A CRL out of its time says nothing of the certificate: it is ours to get a new one.
        case X509_V_ERR_CRL_HAS_EXPIRED:
        case X509_V_ERR_CRL_NOT_YET_VALID:
        case X509_V_ERR_UNABLE_TO_GET_CRL:
        case X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER:
            return Errc::unavailable;
        case X509_V_ERR_INVALID_CA:
        case X509_V_ERR_INVALID_PURPOSE:
        case X509_V_ERR_PATH_LENGTH_EXCEEDED:
        case X509_V_ERR_KEYUSAGE_NO_CERTSIGN:
        case X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION:
            return Errc::not_permitted;
        case X509_V_ERR_CERT_SIGNATURE_FAILURE:
            return Errc::bad_signature;
        case X509_V_ERR_CERT_CHAIN_TOO_LONG:
            return Errc::too_many;
        default:
            return Errc::not_trusted;
    }
}

/// Certificates that come again with every device of their maker, decoded once: what libcrypto
/// takes for one is two signature checks. Says nothing about trust.
class SeenCertificates {
public:
    /// For libcrypto. Errors: of the DER; of the key.
    [[nodiscard]] Result<X509Ptr> x509(ByteView der);
    /// Ours, of one that libcrypto has put on a path.
    [[nodiscard]] Result<CertificatePtr> certificate(X509* x509);

private:
    static constexpr std::size_t kEntries = 128;
    Lru<X509Ptr> x509_{kEntries};
    Lru<CertificatePtr> certificates_{kEntries};
};

struct FreeOctets {
    void operator()(unsigned char* octets) const noexcept { OPENSSL_free(octets); }
};

Result<CertificatePtr> SeenCertificates::certificate(X509* x509) {
    unsigned char* encoded = nullptr;
    const int length = i2d_X509(x509, &encoded);
    if (length <= 0) return fail(Errc::unsupported, "certificate");
    const std::unique_ptr<unsigned char, FreeOctets> owner{encoded};
    const ByteView der{encoded, static_cast<std::size_t>(length)};
    const Sha256 digest = sha256(der);
    if (const CertificatePtr* const known = certificates_.find(digest); known != nullptr)
        return *known;
    RA_TRY(CertificatePtr made, Certificate::parse(der));
    return certificates_.put(digest, std::move(made));
}

/// Keys beyond our bounds are refused before libcrypto works with them (S-30).
Result<X509Ptr> to_x509(ByteView der) {
    RA_TRY(const asn1::CertificateView view, asn1::parse_certificate(der));
    RA_TRY(const PublicKey key, PublicKey::from_spki(view.spki));
    static_cast<void>(key);
    const std::uint8_t* octets = der.data();
    X509Ptr made{d2i_X509(nullptr, &octets, static_cast<long>(der.size()))};
    if (made == nullptr) {
        ERR_clear_error();
        return fail(Errc::bad_value, "certificate");
    }
    return made;
}

Result<X509Ptr> SeenCertificates::x509(ByteView der) {
    const Sha256 digest = sha256(der);
    X509Ptr* known = x509_.find(digest);
    if (known == nullptr) {
        RA_TRY(X509Ptr made, to_x509(der));
        known = &x509_.put(digest, std::move(made));
    }
    X509_up_ref(known->get());
    return X509Ptr{known->get()};
}

/// Past nextUpdate but within the grace of `soft` counts as fresh (S-43).
int tolerate_stale_crl(int ok, X509_STORE_CTX* context) noexcept {
    if (ok == 1) return 1;
    const int error = X509_STORE_CTX_get_error(context);
    const auto* const impl =
        static_cast<const TrustStore::Impl*>(X509_STORE_CTX_get_app_data(context));
    if (impl == nullptr || impl->crl_policy != CrlPolicy::soft) return 0;
    const bool missing = error == X509_V_ERR_UNABLE_TO_GET_CRL;
    if (missing) return 1;
    if (error != X509_V_ERR_CRL_HAS_EXPIRED) return 0;
    const auto now =
        static_cast<std::int64_t>(X509_VERIFY_PARAM_get_time(X509_STORE_CTX_get0_param(context)));
    return WallTime{std::chrono::seconds{now}} <= impl->crl_next_update + impl->crl_grace ? 1 : 0;
}

Result<Chain> build_chain(const TrustStore& trust, ByteView leaf, ByteView others, WallTime now,
                          SeenCertificates& seen) {
    RA_TRY(const X509Ptr x509, to_x509(leaf));
    std::vector<X509Ptr> helpers;
    asn1::DerReader reader{others};
    while (!reader.at_end() && helpers.size() < kMostHelpers) {
        RA_TRY(const asn1::Tlv one, reader.read_any("extraCerts"));
        auto helper = seen.x509(one.whole);
        if (helper)
            helpers.push_back(std::move(*helper));  // what does not help does not harm
    }
    const X509StackPtr untrusted{sk_X509_new_null()};
    for (const X509Ptr& helper : helpers) sk_X509_push(untrusted.get(), helper.get());
    for (const X509Ptr& helper : trust.impl().intermediates)
        sk_X509_push(untrusted.get(), helper.get());

    const X509StoreCtxPtr context{X509_STORE_CTX_new()};
    if (context == nullptr || X509_STORE_CTX_init(context.get(), trust.impl().store.get(),
                                                  x509.get(), untrusted.get()) != 1) {
        return fail(Errc::unavailable, "chain");
    }
    X509_VERIFY_PARAM* const parameters = X509_STORE_CTX_get0_param(context.get());
    X509_VERIFY_PARAM_set_time(parameters, now.time_since_epoch().count());
    X509_VERIFY_PARAM_set_depth(parameters,
                                kMostPath - 2);  // intermediates between leaf and anchor
    // A device certificate configured as anchor is trusted as what it is.
    unsigned long flags = X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST;
    if (trust.impl().crl_policy != CrlPolicy::none)
        flags |= X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL;
    X509_VERIFY_PARAM_set_flags(parameters, flags);
    X509_STORE_CTX_set_app_data(context.get(), const_cast<TrustStore::Impl*>(&trust.impl()));
    X509_STORE_CTX_set_verify_cb(context.get(), tolerate_stale_crl);
    const int verified = X509_verify_cert(context.get());
    const int error = X509_STORE_CTX_get_error(context.get());
    ERR_clear_error();
    if (verified != 1) {
        const Errc code = code_of(error);
        return fail(code, code == Errc::unavailable ? "CRL" : "chain");
    }

    Chain chain;
    STACK_OF(X509)* const path = X509_STORE_CTX_get0_chain(context.get());
    for (int i = 0; i < sk_X509_num(path); ++i) {
        // The leaf is this device's alone.
        RA_TRY(CertificatePtr certificate,
               i == 0 ? Certificate::parse(leaf) : seen.certificate(sk_X509_value(path, i)));
        chain.path.push_back(std::move(certificate));
    }
    if (chain.path.size() > kMostPath) return fail(Errc::too_many, "chain");
    chain.leaf = chain.path.front();
    chain.issuer = chain.path.size() > 1 ? chain.path[1] : chain.leaf;
    return chain;
}

}  // namespace

struct ChainVerifier::Impl {
    Impl(const Clock& source, std::size_t entries)
        : clock{source}, positive{entries}, negative{entries} {}

    const Clock& clock;
    Lru<Positive> positive;
    Lru<Negative> negative;
    SeenCertificates seen;
    WallTime last_now{};
    Stats stats;
};

ChainVerifier::ChainVerifier(const Clock& clock, std::size_t entries)
    : impl_{std::make_unique<Impl>(clock, entries)} {}
ChainVerifier::~ChainVerifier() = default;

Result<Chain> ChainVerifier::verify(const TrustStore& trust, ByteView extra_certs) {
    asn1::DerReader reader{extra_certs};
    RA_TRY(const asn1::Tlv leaf, reader.read_any("extraCerts"));
    return verify(trust, leaf.whole, reader.rest());
}

Result<Chain> ChainVerifier::verify(const TrustStore& trust, ByteView leaf, ByteView others) {
    const WallTime now = impl_->clock.wall_now();
    if (now < impl_->last_now) clear();  // the clock stepped back: validity may look different
    impl_->last_now = now;

    const Sha256 key = key_of(trust, leaf);
    if (Positive* const known = impl_->positive.find(key); known != nullptr) {
        if (now < known->until) {
            ++impl_->stats.hits;
            return known->chain;
        }
        impl_->positive.erase(key);
    }
    // A refusal holds only for exactly these octets: other helpers may complete the path.
    const Sha256 negative_key = sha256(key, others);
    const BootTime boot = impl_->clock.boot_now();
    if (const Negative* const known = impl_->negative.find(negative_key);
        known != nullptr && boot < known->until) {
        ++impl_->stats.negative_hits;
        return known->error;
    }
    ++impl_->stats.misses;
    auto chain = build_chain(trust, leaf, others, now, impl_->seen);
    if (!chain) {
        impl_->negative.put(negative_key, Negative{chain.error(), boot + kNegativeAge});
        return chain;
    }
    WallTime until = now + kMostVerdictAge;
    for (const CertificatePtr& one : chain->path) until = std::min(until, one->view().not_after);
    if (trust.impl().crl_policy == CrlPolicy::hard)
        until = std::min(until, trust.impl().crl_next_update);
    impl_->positive.put(key, Positive{*chain, until});
    return chain;
}

void ChainVerifier::forget(ByteView issuer, ByteView serial) {
    impl_->positive.erase_if([issuer, serial](const Positive& verdict) {
        const auto& path = verdict.chain.path;
        return std::any_of(path.begin(), path.end(), [issuer, serial](const CertificatePtr& one) {
            return equal(one->view().issuer, issuer) && equal(one->view().serial, serial);
        });
    });
}

void ChainVerifier::clear() {
    impl_->positive.clear();
    impl_->negative.clear();
}

const ChainVerifier::Stats& ChainVerifier::stats() const noexcept { return impl_->stats; }

}  // namespace ra::crypto
