#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <cstring>

#include "transports/common/tls_context_impl.h"

/// What OpenSSL asks us during a handshake. Called from C: nothing throws.
namespace transports::common {
namespace {

ra::WallTime wall_now() noexcept { return ra::SystemClock{}.wall_now(); }

/// Chooses the identity by the host name the client asked for.
int on_server_name(SSL* ssl, int*, void*) noexcept {
    const TlsContext::Impl* impl = context_of(ssl);
    const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (impl == nullptr || name == nullptr) return SSL_TLSEXT_ERR_NOACK;
    SSL_set_SSL_CTX(ssl, impl->seat_for(name).context.get());
    return SSL_TLSEXT_ERR_OK;
}

int on_protocols(SSL* ssl, const unsigned char** out, unsigned char* out_size,
                 const unsigned char* in, unsigned in_size, void*) noexcept {
    const TlsContext::Impl* impl = context_of(ssl);
    if (impl == nullptr || impl->protocols.empty()) return SSL_TLSEXT_ERR_NOACK;
    const auto* ours = reinterpret_cast<const unsigned char*>(impl->protocols.data());
    unsigned char* chosen = nullptr;
    const int found = SSL_select_next_proto(
        &chosen, out_size, ours, static_cast<unsigned>(impl->protocols.size()), in, in_size);
    *out = chosen;
    // No overlap: without ALPN, which means HTTP/1.1.
    return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

int on_status_request(SSL* ssl, void*) noexcept {
    const TlsContext::Impl* impl = context_of(ssl);
    const TlsContext::Impl::Seat* seat =
        impl != nullptr ? impl->seat_of(SSL_get_SSL_CTX(ssl)) : nullptr;
    if (seat == nullptr || seat->ocsp_response.empty() || wall_now() >= seat->ocsp_until)
        return SSL_TLSEXT_ERR_NOACK;
    void* copy = OPENSSL_memdup(seat->ocsp_response.data(), seat->ocsp_response.size());
    if (copy == nullptr) return SSL_TLSEXT_ERR_NOACK;
    SSL_set_tlsext_status_ocsp_resp(ssl, copy, static_cast<long>(seat->ocsp_response.size()));
    return SSL_TLSEXT_ERR_OK;
}

bool use_key(const TlsTicketKeys::Key& key, const unsigned char* iv, EVP_CIPHER_CTX* cipher,
             EVP_MAC_CTX* mac, bool seal) noexcept {
    char digest[] = "SHA256";
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(
            OSSL_MAC_PARAM_KEY, const_cast<std::uint8_t*>(key.mac.data()), key.mac.size()),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end()};
    return EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), nullptr, key.cipher.data(), iv,
                             seal ? 1 : 0) == 1 &&
           EVP_MAC_CTX_set_params(mac, parameters) == 1;
}

/// RFC 5077 4: seals a ticket (`seal`) or finds the key that opens it. 0: a full handshake.
int on_ticket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
              EVP_MAC_CTX* mac, int seal) noexcept try {
    const TlsContext::Impl* impl = context_of(ssl);
    if (impl == nullptr || impl->tickets == nullptr) return 0;
    const auto now = ra::BootClock::now();
    if (seal != 0) {
        const TlsTicketKeys::Key key = impl->tickets->sealing(now);
        if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1) return -1;
        std::memcpy(name, key.name.data(), key.name.size());
        return use_key(key, iv, cipher, mac, true) ? 1 : -1;
    }
    const auto found = impl->tickets->opening({name, TlsTicketKeys::kNameOctets}, now);
    if (!found) return 0;
    if (!use_key(found->key, iv, cipher, mac, false)) return -1;
    // In TLS 1.3 a ticket is used once (RFC 8446 C.4): each resumption brings the next.
    return found->renew || SSL_version(ssl) == TLS1_3_VERSION ? 2 : 1;
} catch (...) {
    return 0;
}

int on_verify(int good, X509_STORE_CTX* store) noexcept {
    const auto* ssl = static_cast<const SSL*>(
        X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    return judge_crl_age(good, store, ssl != nullptr ? context_of(ssl) : nullptr);
}

}  // namespace

/// CRLs that are a little old, where the configuration says that they may be (S-43). Everything
/// else is as OpenSSL has judged it.
int judge_crl_age(int good, X509_STORE_CTX* store, const TlsContext::Impl* impl) noexcept {
    if (good != 0 || X509_STORE_CTX_get_error(store) != X509_V_ERR_CRL_HAS_EXPIRED) return good;
    const X509_CRL* crl = X509_STORE_CTX_get0_current_crl(store);
    const ASN1_TIME* next = crl != nullptr ? X509_CRL_get0_nextUpdate(crl) : nullptr;
    if (impl == nullptr || !impl->crl_grace || next == nullptr) return good;
    auto limit = static_cast<time_t>((wall_now() - *impl->crl_grace).time_since_epoch().count());
    if (X509_cmp_time(next, &limit) <= 0) return good;
    X509_STORE_CTX_set_error(store, X509_V_OK);
    return 1;
}

bool is_address(const std::string& host) noexcept {
    return host.find(':') != std::string::npos ||
           host.find_first_not_of("0123456789.") == std::string::npos;
}

bool expect_host(X509_VERIFY_PARAM* wanted, const std::string& host) noexcept {
    if (host.empty()) return false;
    if (is_address(host)) return X509_VERIFY_PARAM_set1_ip_asc(wanted, host.c_str()) == 1;
    // RFC 9525: the subject's CN is no host name; a wildcard is a whole label.
    X509_VERIFY_PARAM_set_hostflags(
        wanted, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return X509_VERIFY_PARAM_set1_host(wanted, host.c_str(), host.size()) == 1;
}

const TlsContext::Impl* context_of(const SSL* ssl) noexcept {
    return static_cast<const TlsContext::Impl*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
}

const TlsContext::Impl::Seat& TlsContext::Impl::seat_for(const char* name) const noexcept {
    for (const Seat& seat : seats) {
        const unsigned flags = X509_CHECK_FLAG_NEVER_CHECK_SUBJECT;
        if (X509_check_host(seat.certificate.get(), name, std::strlen(name), flags, nullptr) == 1)
            return seat;
    }
    return seats.front();
}

void set_server_callbacks(SSL_CTX& context) {
    SSL_CTX_set_tlsext_servername_callback(&context, on_server_name);
    SSL_CTX_set_alpn_select_cb(&context, on_protocols, nullptr);
    SSL_CTX_set_tlsext_status_cb(&context, on_status_request);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(&context, on_ticket);
}

void set_verify_callback(SSL_CTX& context, int mode) {
    SSL_CTX_set_verify(&context, mode, on_verify);
}

}  // namespace transports::common
