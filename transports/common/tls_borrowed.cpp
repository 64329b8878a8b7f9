#include "transports/common/tls_borrowed.h"

#include <openssl/pem.h>

#include <algorithm>
#include <stdexcept>

#include "transports/common/tls_context_impl.h"

namespace transports::common {
namespace {

// Forward secrecy with AEAD (RFC 9325), those of RFC 7252 9.1.3, and a PSK's.
constexpr const char* kSuites =
    "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AESCCM:ECDHE+AESCCM8:PSK+AESGCM:PSK+CHACHA20:PSK+AESCCM:"
    "PSK+AESCCM8:!aNULL:!eNULL";

constexpr const char* kClientSuites =
    "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AESCCM:ECDHE+AESCCM8:!aNULL:!eNULL:!PSK";

void forget(void*, void* kept, CRYPTO_EX_DATA*, int, long, void*) {
    delete static_cast<TlsContextPtr*>(kept);
}

thread_local Borrowers* watching = nullptr;

void note_context(void* made, void*, CRYPTO_EX_DATA*, int, long, void*) {
    if (watching != nullptr) watching->push_back(made);
}

/// OpenSSL tells of each SSL_CTX that is made.
int context_place() {
    static const int index = SSL_CTX_get_ex_new_index(0, nullptr, note_context, nullptr, nullptr);
    return index;
}

/// Where an SSL keeps the context it has borrowed.
int place() {
    static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, forget);
    return index;
}

const TlsContextPtr* lent_to(const SSL* ssl) noexcept {
    return static_cast<const TlsContextPtr*>(SSL_get_ex_data(ssl, place()));
}

int on_verify(int good, X509_STORE_CTX* store) noexcept {
    const auto* ssl = static_cast<const SSL*>(
        X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    const TlsContextPtr* context = ssl != nullptr ? lent_to(ssl) : nullptr;
    return judge_crl_age(good, store, context != nullptr ? &(*context)->impl() : nullptr);
}

/// The host name in the ClientHello (RFC 6066 3); empty: none.
std::string host_name(SSL* ssl) {
    constexpr std::size_t kHead = 5;  // length of the list, type, length of the name
    const unsigned char* octets = nullptr;
    std::size_t size = 0;
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &octets, &size) != 1 ||
        size <= kHead || octets[2] != TLSEXT_NAMETYPE_host_name)
        return {};
    const std::size_t length = static_cast<std::size_t>(octets[3]) << 8U | octets[4];
    if (length != size - kHead) return {};
    return {reinterpret_cast<const char*>(octets) + kHead, length};
}

bool show(SSL* ssl, SSL_CTX* from) {
    STACK_OF(X509)* chain = nullptr;
    // NOLINTNEXTLINE(bugprone-multi-level-implicit-pointer-conversion): OpenSSL's macro casts it.
    SSL_CTX_get0_chain_certs(from, &chain);
    return SSL_use_cert_and_key(ssl, SSL_CTX_get0_certificate(from), SSL_CTX_get0_privatekey(from),
                                chain, 1) == 1;
}

/// `ssl` keeps the context as long as it lives.
bool keep(SSL* ssl, const TlsContextPtr& context) {
    auto kept = std::make_unique<TlsContextPtr>(context);
    forget(nullptr, SSL_get_ex_data(ssl, place()), nullptr, 0, 0, nullptr);
    if (SSL_set_ex_data(ssl, place(), kept.get()) != 1) return false;
    // NOLINTNEXTLINE(bugprone-unused-return-value): the SSL owns it now.
    (void)kept.release();
    return true;
}

template <auto Encode, class T>
ra::Bytes encoded(T* object) {
    unsigned char* octets = nullptr;
    const int size = Encode(object, &octets);
    if (size <= 0) return {};
    ra::Bytes bytes(octets, octets + size);
    OPENSSL_free(octets);
    return bytes;
}

ra::Bytes content_of(const BioPtr& bio) {
    char* text = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &text);
    return ra::to_bytes(ra::as_bytes({text, static_cast<std::size_t>(size)}));
}

}  // namespace

bool lend_tls(void* borrower, const TlsContextPtr& context) noexcept try {
    SSL* const ssl = static_cast<SSL*>(borrower);
    if (context == nullptr) return false;
    const std::string name = host_name(ssl);
    const TlsContext::Impl& impl = context->impl();
    const TlsContext::Impl::Seat& seat =
        name.empty() ? impl.seats.front() : impl.seat_for(name.c_str());
    SSL_CTX* const from = seat.context.get();
    if (!keep(ssl, context)) return false;

    SSL_CTX_set_session_cache_mode(SSL_get_SSL_CTX(ssl), SSL_SESS_CACHE_OFF);
    SSL_set_options(ssl, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_set_verify(ssl, SSL_CTX_get_verify_mode(from), on_verify);
    if (SSL_is_dtls(ssl) == 0 && SSL_set_min_proto_version(ssl, TLS1_2_VERSION) != 1) return false;
    const STACK_OF(X509_NAME)* authorities = SSL_CTX_get_client_CA_list(from);
    if (authorities != nullptr) SSL_set_client_CA_list(ssl, SSL_dup_CA_list(authorities));
    return SSL_set_cipher_list(ssl, kSuites) == 1 && show(ssl, from) &&
           SSL_set1_verify_cert_store(ssl, SSL_CTX_get_cert_store(from)) == 1;
} catch (...) {
    return false;
}

BorrowerWatch::BorrowerWatch() : before_{watching} {
    (void)context_place();
    watching = &found_;
}

BorrowerWatch::~BorrowerWatch() { watching = before_; }

bool guard_server_tls(const Borrowers& borrowers) noexcept {
    constexpr std::uint64_t kOptions =
        SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION;
    // TLS 1.3 has tickets of its own.
    const auto guard_context = [](void* borrower) {
        auto* const to = static_cast<SSL_CTX*>(borrower);
        SSL_CTX_set_session_cache_mode(to, SSL_SESS_CACHE_OFF);
        SSL_CTX_set_options(to, kOptions);
        return SSL_CTX_set_num_tickets(to, 0) == 1 && SSL_CTX_set_cipher_list(to, kSuites) == 1;
    };
    return !borrowers.empty() && std::ranges::all_of(borrowers, guard_context);
}

bool lend_client_tls(const Borrowers& borrowers, const TlsContextPtr& context,
                     const std::string& host) noexcept {
    if (context == nullptr || borrowers.empty()) return false;
    SSL_CTX* const from = context->impl().seats.front().context.get();
    X509* const certificate = SSL_CTX_get0_certificate(from);
    STACK_OF(X509)* chain = nullptr;
    // NOLINTNEXTLINE(bugprone-multi-level-implicit-pointer-conversion): OpenSSL's macro casts it.
    SSL_CTX_get0_chain_certs(from, &chain);
    return std::ranges::all_of(borrowers, [&](void* borrower) {
        auto* const to = static_cast<SSL_CTX*>(borrower);
        SSL_CTX_set_options(to, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
        SSL_CTX_set_session_cache_mode(to, SSL_SESS_CACHE_OFF);
        SSL_CTX_set1_cert_store(to, SSL_CTX_get_cert_store(from));
        const int least =
            SSL_CTX_get_ssl_method(to) == DTLS_method() ? DTLS1_2_VERSION : TLS1_2_VERSION;
        return SSL_CTX_set_min_proto_version(to, least) == 1 &&
               expect_host(SSL_CTX_get0_param(to), host) &&
               SSL_CTX_set_cipher_list(to, kClientSuites) == 1 &&
               (certificate == nullptr ||
                SSL_CTX_use_cert_and_key(to, certificate, SSL_CTX_get0_privatekey(from), chain,
                                         1) == 1);
    });
}

bool lend_verdict(void* borrower, const TlsContextPtr& context) noexcept try {
    SSL* const ssl = static_cast<SSL*>(borrower);
    if (ssl == nullptr || !keep(ssl, context)) return false;
    SSL_set_verify(ssl, SSL_VERIFY_PEER, on_verify);
    return true;
} catch (...) {
    return false;
}

bool is_expected_peer(void* borrower) noexcept {
    SSL* const ssl = static_cast<SSL*>(borrower);
    if (ssl == nullptr || lent_to(ssl) == nullptr || SSL_is_init_finished(ssl) != 1) return false;
    const SSL_CIPHER* const suite = SSL_get_current_cipher(ssl);
    const int exchange = suite != nullptr ? SSL_CIPHER_get_kx_nid(suite) : NID_undef;
    return (exchange == NID_kx_ecdhe || exchange == NID_kx_any) && SSL_CIPHER_is_aead(suite) == 1 &&
           SSL_get0_peer_certificate(ssl) != nullptr && SSL_get_verify_result(ssl) == X509_V_OK;
}

bool refused_certificate(void* borrower) noexcept {
    SSL* const ssl = static_cast<SSL*>(borrower);
    return ssl != nullptr && SSL_get_verify_result(ssl) != X509_V_OK;
}

std::shared_ptr<const ra::TlsFacts> facts_of(void* borrower) {
    SSL* const ssl = static_cast<SSL*>(borrower);
    auto facts = std::make_shared<ra::TlsFacts>();
    facts->version = SSL_get_version(ssl);
    const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (name != nullptr) facts->server_name = name;
    const TlsContextPtr* context = lent_to(ssl);
    if (context != nullptr) facts->trust = (*context)->trust_id();
    X509* const peer = SSL_get0_peer_certificate(ssl);
    if (peer != nullptr && context != nullptr && SSL_get_verify_result(ssl) == X509_V_OK) {
        facts->client_certificate = encoded<i2d_X509>(peer);
        facts->client_subject = encoded<i2d_X509_NAME>(X509_get_subject_name(peer));
    }
    return facts;
}

PemIdentity first_identity(const TlsContext& context) {
    SSL_CTX* const from = context.impl().seats.front().context.get();
    const BioPtr certificate{BIO_new(BIO_s_mem())};
    const BioPtr key{BIO_new(BIO_s_secmem())};
    if (PEM_write_bio_X509(certificate.get(), SSL_CTX_get0_certificate(from)) != 1 ||
        PEM_write_bio_PrivateKey(key.get(), SSL_CTX_get0_privatekey(from), nullptr, nullptr, 0,
                                 nullptr, nullptr) != 1)
        throw std::runtime_error("DTLS: a key that cannot be handed over: " + take_tls_error());
    PemIdentity identity;
    identity.certificate = ra::as_text(content_of(certificate));
    identity.key = ra::Secret{content_of(key)};
    return identity;
}

}  // namespace transports::common
