#include "ra/crypto/trust.h"

#include <openssl/err.h>

#include <atomic>
#include <stdexcept>

#include "ra/asn1/time.h"
#include "ra/crypto/files.h"
#include "ra/crypto/trust_impl.h"

namespace ra::crypto {
namespace {

std::uint64_t next_generation() noexcept {
    static std::atomic<std::uint64_t> last{0};
    return ++last;
}

X509Ptr to_x509(ByteView der) {
    const std::uint8_t* octets = der.data();
    return X509Ptr{d2i_X509(nullptr, &octets, static_cast<long>(der.size()))};
}

WallTime next_update_of(const X509_CRL* crl) {
    const ASN1_TIME* const next = X509_CRL_get0_nextUpdate(crl);
    tm parts{};
    if (next == nullptr || ASN1_TIME_to_tm(next, &parts) != 1) return WallTime::max();
    return std::chrono::sys_days{std::chrono::year{parts.tm_year + 1900} / (parts.tm_mon + 1) /
                                 parts.tm_mday} +
           std::chrono::hours{parts.tm_hour} + std::chrono::minutes{parts.tm_min} +
           std::chrono::seconds{parts.tm_sec};
}

std::unique_ptr<TrustStore::Impl> build(std::vector<CertificatePtr> anchors,
                                        std::vector<CertificatePtr> intermediates) {
    auto impl = std::make_unique<TrustStore::Impl>();
    impl->generation = next_generation();
    impl->store.reset(X509_STORE_new());
    for (const CertificatePtr& anchor : anchors) {
        const X509Ptr x509 = to_x509(anchor->der());
        if (x509 == nullptr || X509_STORE_add_cert(impl->store.get(), x509.get()) != 1)
            throw std::runtime_error("libcrypto refuses a trust anchor");
    }
    for (const CertificatePtr& one : intermediates) {
        impl->intermediates.push_back(to_x509(one->der()));
        if (impl->intermediates.back() == nullptr)
            throw std::runtime_error("libcrypto refuses an intermediate certificate");
    }
    impl->anchors = std::move(anchors);
    return impl;
}

}  // namespace

TrustStore::TrustStore(std::unique_ptr<const Impl> impl) : impl_{std::move(impl)} {}
TrustStore::~TrustStore() = default;

std::uint64_t TrustStore::generation() const noexcept { return impl_->generation; }
const std::vector<CertificatePtr>& TrustStore::anchors() const noexcept { return impl_->anchors; }

WallTime TrustStore::crl_next_update() const noexcept { return impl_->crl_next_update; }

TrustStorePtr TrustStore::of(std::vector<CertificatePtr> anchors) {
    if (anchors.empty()) throw std::runtime_error("no trust anchor");
    return std::make_shared<TrustStore>(build(std::move(anchors), {}));
}

TrustStorePtr TrustStore::load(const Files& files) {
    std::vector<CertificatePtr> anchors;
    std::vector<CertificatePtr> intermediates;
    const auto load_all = [](const std::vector<std::string>& paths,
                             std::vector<CertificatePtr>& into) {
        for (const std::string& path : paths) {
            for (CertificatePtr& one : load_certificates(path)) into.push_back(std::move(one));
        }
    };
    load_all(files.anchors, anchors);
    load_all(files.intermediates, intermediates);
    if (anchors.empty()) throw std::runtime_error("no trust anchor");
    auto impl = build(std::move(anchors), std::move(intermediates));
    for (const std::string& path : files.crls) {
        for (const Bytes& der : load_objects(path, "CRL")) {
            const std::uint8_t* octets = der.data();
            const X509CrlPtr crl{d2i_X509_CRL(nullptr, &octets, static_cast<long>(der.size()))};
            if (crl == nullptr || X509_STORE_add_crl(impl->store.get(), crl.get()) != 1)
                throw std::runtime_error(path + ": not a CRL");
            impl->crl_next_update = std::min(impl->crl_next_update, next_update_of(crl.get()));
        }
    }
    ERR_clear_error();
    impl->crl_policy = files.crl_policy;
    impl->crl_grace = files.crl_grace;
    if (impl->crl_policy != CrlPolicy::none && files.crls.empty())
        throw std::runtime_error("CRLs are demanded and none is given");
    return std::make_shared<TrustStore>(std::move(impl));
}

}  // namespace ra::crypto
