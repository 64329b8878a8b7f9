#include "tests/support/tls_pki.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <stdexcept>

#include "transports/common/tls_ossl.h"

namespace test {

using transports::common::BioPtr;
using transports::common::EvpKeyPtr;
using transports::common::TlsIdentity;
using transports::common::X509CrlPtr;
using transports::common::X509Ptr;

namespace {

ra::Bytes content_of(BIO* bio) {
    char* text = nullptr;
    const long size = BIO_get_mem_data(bio, &text);
    return ra::to_bytes(ra::as_bytes({text, static_cast<std::size_t>(size)}));
}

ra::Bytes pem(X509* certificate) {
    const BioPtr bio{BIO_new(BIO_s_mem())};
    PEM_write_bio_X509(bio.get(), certificate);
    return content_of(bio.get());
}

void extend(X509* certificate, X509* issuer, int nid, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
    if (extension == nullptr) throw std::runtime_error("extension " + value);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

void name(X509_NAME* to, const std::string& common_name) {
    X509_NAME_add_entry_by_txt(to, "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1,
                               0);
}

long seconds(std::chrono::hours time) { return static_cast<long>(time.count()) * 3600; }

X509Ptr make(const TlsCertificate& what, EVP_PKEY* key, X509* issuer, EVP_PKEY* issuer_key) {
    static long serial = 1000;
    X509Ptr made{X509_new()};
    X509* certificate = made.get();
    if (issuer == nullptr) issuer = certificate;
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(certificate), seconds(what.from));
    X509_gmtime_adj(X509_getm_notAfter(certificate), seconds(what.until));
    name(X509_get_subject_name(certificate), what.common_name);
    X509_set_issuer_name(certificate, X509_get_subject_name(issuer));
    X509_set_pubkey(certificate, key);
    extend(certificate, issuer, NID_subject_key_identifier, "hash");
    if (what.ca) {
        extend(certificate, issuer, NID_basic_constraints, "critical,CA:TRUE");
        extend(certificate, issuer, NID_key_usage, "critical,keyCertSign,cRLSign");
    } else {
        std::string names;
        for (const std::string& one : what.dns) names += (names.empty() ? "DNS:" : ",DNS:") + one;
        for (const std::string& one : what.ip) names += (names.empty() ? "IP:" : ",IP:") + one;
        if (!names.empty()) extend(certificate, issuer, NID_subject_alt_name, names);
        extend(certificate, issuer, NID_ext_key_usage, "serverAuth,clientAuth");
    }
    if (X509_sign(certificate, issuer_key, EVP_sha256()) == 0) throw std::runtime_error("sign");
    return made;
}

}  // namespace

struct TlsAuthority::Impl {
    EvpKeyPtr key{EVP_EC_gen("P-256")};
    X509Ptr root;
};

TlsAuthority::TlsAuthority(const std::string& common_name) : impl_{std::make_unique<Impl>()} {
    TlsCertificate what;
    what.common_name = common_name;
    what.ca = true;
    impl_->root = make(what, impl_->key.get(), nullptr, impl_->key.get());
}
TlsAuthority::~TlsAuthority() = default;

ra::Bytes TlsAuthority::root() const { return pem(impl_->root.get()); }

TlsIdentity TlsAuthority::issue(const TlsCertificate& what) const {
    const EvpKeyPtr key{EVP_EC_gen("P-256")};
    const X509Ptr certificate = make(what, key.get(), impl_->root.get(), impl_->key.get());
    TlsIdentity identity;
    identity.name = what.common_name;
    identity.certificate = pem(certificate.get());
    const BioPtr bio{BIO_new(BIO_s_mem())};
    PEM_write_bio_PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    identity.key = ra::Secret{content_of(bio.get())};
    return identity;
}

ra::Bytes TlsAuthority::crl(const std::vector<const TlsIdentity*>& revoked,
                            std::chrono::hours until) const {
    const X509CrlPtr crl{X509_CRL_new()};
    X509_CRL_set_version(crl.get(), 1);
    X509_CRL_set_issuer_name(crl.get(), X509_get_subject_name(impl_->root.get()));
    ASN1_TIME* time = ASN1_TIME_new();
    X509_gmtime_adj(time, seconds(std::min(std::chrono::hours{-1}, until - std::chrono::hours{1})));
    X509_CRL_set1_lastUpdate(crl.get(), time);
    for (const TlsIdentity* identity : revoked) {
        const BioPtr bio{BIO_new_mem_buf(identity->certificate.data(),
                                         static_cast<int>(identity->certificate.size()))};
        const X509Ptr certificate{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)};
        X509_REVOKED* entry = X509_REVOKED_new();
        X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(certificate.get()));
        X509_REVOKED_set_revocationDate(entry, time);
        X509_CRL_add0_revoked(crl.get(), entry);
    }
    X509_gmtime_adj(time, seconds(until));
    X509_CRL_set1_nextUpdate(crl.get(), time);
    ASN1_TIME_free(time);
    X509_CRL_sort(crl.get());
    X509_CRL_sign(crl.get(), impl_->key.get(), EVP_sha256());
    const BioPtr bio{BIO_new(BIO_s_mem())};
    PEM_write_bio_X509_CRL(bio.get(), crl.get());
    return content_of(bio.get());
}

}  // namespace test
