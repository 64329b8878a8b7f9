#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>

#include <algorithm>
#include <stdexcept>

#include "transports/common/tls_context_impl.h"

namespace transports::common {
namespace {

using OcspResponsePtr = std::unique_ptr<OCSP_RESPONSE, Freed<OCSP_RESPONSE_free>>;
using OcspBasicPtr = std::unique_ptr<OCSP_BASICRESP, Freed<OCSP_BASICRESP_free>>;
using OcspIdPtr = std::unique_ptr<OCSP_CERTID, Freed<OCSP_CERTID_free>>;

BioPtr memory(ra::ByteView octets) {
    return BioPtr{BIO_new_mem_buf(octets.data(), static_cast<int>(octets.size()))};
}

bool is_der(ra::ByteView octets) noexcept { return !octets.empty() && octets[0] == 0x30; }

/// Every object of one kind in a PEM text, or the one a DER file is.
template <class Ptr, auto ReadPem, auto ReadDer>
std::vector<Ptr> read_all(ra::ByteView octets) {
    std::vector<Ptr> all;
    if (is_der(octets)) {
        const unsigned char* at = octets.data();
        if (auto* one = ReadDer(nullptr, &at, static_cast<long>(octets.size())))
            all.emplace_back(one);
    } else if (const BioPtr bio = memory(octets)) {
        while (auto* one = ReadPem(bio.get(), nullptr, nullptr, nullptr)) all.emplace_back(one);
    }
    ERR_clear_error();  // the end of a PEM text is an error of its own
    return all;
}

int give_passphrase(char* to, int size, int, void* secret) noexcept {
    const ra::ByteView text = static_cast<const ra::Secret*>(secret)->reveal();
    if (text.size() > static_cast<std::size_t>(size)) return -1;
    std::copy(text.begin(), text.end(), to);
    return static_cast<int>(text.size());
}

ra::WallTime wall_time(const ASN1_TIME* time) {
    tm broken{};
    if (time == nullptr || ASN1_TIME_to_tm(time, &broken) != 1) return {};
    return ra::WallTime{std::chrono::seconds{timegm(&broken)}};
}

/// How long a response may be stapled; empty reason: it may.
std::string judge_ocsp(ra::ByteView der, X509& certificate, X509& issuer, ra::WallTime& until) {
    const unsigned char* at = der.data();
    const OcspResponsePtr response{d2i_OCSP_RESPONSE(nullptr, &at, static_cast<long>(der.size()))};
    if (response == nullptr) return "is no OCSP response";
    if (OCSP_response_status(response.get()) != OCSP_RESPONSE_STATUS_SUCCESSFUL)
        return "is the responder's refusal";
    const OcspBasicPtr basic{OCSP_response_get1_basic(response.get())};
    if (basic == nullptr) return "is of an unknown kind";
    int status = V_OCSP_CERTSTATUS_UNKNOWN;
    int reason = 0;
    ASN1_GENERALIZEDTIME* revoked = nullptr;
    ASN1_GENERALIZEDTIME* from = nullptr;
    ASN1_GENERALIZEDTIME* next = nullptr;
    // The responder chooses the digest that names the certificate.
    bool found = false;
    for (const EVP_MD* digest : {EVP_sha1(), EVP_sha256()}) {
        const OcspIdPtr id{OCSP_cert_to_id(digest, &certificate, &issuer)};
        found = id != nullptr && OCSP_resp_find_status(basic.get(), id.get(), &status, &reason,
                                                       &revoked, &from, &next) == 1;
        if (found) break;
    }
    if (!found) return "is about another certificate";
    if (status != V_OCSP_CERTSTATUS_GOOD) return "says the certificate is not good";
    if (next == nullptr) return "has no nextUpdate";
    if (OCSP_check_validity(from, next, 300, -1) != 1) return "is not fresh";
    until = wall_time(next);
    return {};
}

}  // namespace

std::string take_tls_error() {
    const unsigned long code = ERR_get_error();
    ERR_clear_error();
    const char* reason = ERR_reason_error_string(code);
    return reason != nullptr ? reason : "unknown fault";
}

std::vector<X509Ptr> read_certificates(ra::ByteView octets, const std::string& name) {
    auto all = read_all<X509Ptr, PEM_read_bio_X509_AUX, d2i_X509>(octets);
    if (all.empty()) throw std::runtime_error(name + " holds no certificate in PEM or DER");
    return all;
}

EvpKeyPtr read_key(const TlsIdentity& identity) {
    const ra::ByteView octets = identity.key.reveal();
    EvpKeyPtr key;
    if (is_der(octets)) {
        const unsigned char* at = octets.data();
        key.reset(d2i_AutoPrivateKey(nullptr, &at, static_cast<long>(octets.size())));
    } else if (const BioPtr bio = memory(octets)) {
        auto* secret = const_cast<ra::Secret*>(&identity.passphrase);
        key.reset(PEM_read_bio_PrivateKey(bio.get(), nullptr, give_passphrase, secret));
    }
    if (key == nullptr)
        throw std::runtime_error(identity.name +
                                 ": the private key cannot be read: " + take_tls_error());
    ERR_clear_error();
    return key;
}

void load_trust(SSL_CTX& context, const TlsTrust& trust) {
    X509_STORE* store = SSL_CTX_get_cert_store(&context);
    for (const ra::Bytes& file : trust.anchors) {
        for (const X509Ptr& anchor : read_certificates(file, "the TLS trust"))
            X509_STORE_add_cert(store, anchor.get());
    }
    for (const ra::Bytes& file : trust.crls) {
        const auto crls = read_all<X509CrlPtr, PEM_read_bio_X509_CRL, d2i_X509_CRL>(file);
        if (crls.empty()) throw std::runtime_error("a TLS crl file holds no CRL in PEM or DER");
        for (const X509CrlPtr& crl : crls) X509_STORE_add_crl(store, crl.get());
    }
    if (!trust.crls.empty())
        X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    // An anchor need not be self-signed: whatever is named as trust is trusted.
    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST);
    X509_STORE_set_depth(store, 6);  // S-30: path length
    ERR_clear_error();
}

void load_identity(TlsContext::Impl::Seat& seat, const TlsIdentity& identity,
                   TlsContext::Impl& impl) {
    auto chain = read_certificates(identity.certificate, identity.name);
    const EvpKeyPtr key = read_key(identity);
    SSL_CTX* context = seat.context.get();
    if (X509_check_private_key(chain.front().get(), key.get()) != 1) {
        ERR_clear_error();
        throw std::runtime_error(identity.name + ": certificate and key do not belong together");
    }
    if (SSL_CTX_use_certificate(context, chain.front().get()) != 1)
        throw std::runtime_error(identity.name + ": " + take_tls_error());
    for (std::size_t i = 1; i < chain.size(); ++i) {
        if (SSL_CTX_add1_chain_cert(context, chain[i].get()) != 1)
            throw std::runtime_error(identity.name + ": " + take_tls_error());
    }
    if (SSL_CTX_use_PrivateKey(context, key.get()) != 1)
        throw std::runtime_error(identity.name + ": " + take_tls_error());

    impl.expiries.push_back({identity.name, wall_time(X509_get0_notAfter(chain.front().get()))});
    if (!identity.ocsp_response.empty()) {
        X509& issuer = chain.size() > 1 ? *chain[1] : *chain.front();
        const std::string fault =
            judge_ocsp(identity.ocsp_response, *chain.front(), issuer, seat.ocsp_until);
        ERR_clear_error();
        if (fault.empty()) {
            seat.ocsp_response = identity.ocsp_response;
        } else {
            impl.warnings.push_back("the OCSP response for " + identity.name + ' ' + fault +
                                    "; it is not stapled");
        }
    }
    seat.certificate = std::move(chain.front());
}

}  // namespace transports::common
