#include "transports/common/tls_context.h"

#include <openssl/err.h>
#include <openssl/sha.h>

#include <array>
#include <atomic>
#include <stdexcept>

#include "transports/common/tls_context_impl.h"

namespace transports::common {
namespace {

using Impl = TlsContext::Impl;

// RFC 9325 4.2: forward secrecy and AEAD only. The suites of TLS 1.3 are all of that kind.
constexpr const char* kSuites12 =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
// What a libcrypto does not know makes the whole list unusable: the newer one is tried first.
constexpr const char* kGroups[] = {"X25519MLKEM768:X25519:P-256:P-384:P-521",
                                   "X25519:P-256:P-384:P-521"};
constexpr long kMaxCertificates = 32L * 1024;  // of the peer's certificate message
constexpr long kClientSessionSeconds = 3600;  // a client certificate is not asked for again so long

SslCtxPtr make_context(const SSL_METHOD* method, Impl& impl) {
    SslCtxPtr context{SSL_CTX_new(method)};
    if (context == nullptr) throw std::runtime_error("no TLS: " + take_tls_error());
    SSL_CTX* ctx = context.get();
    SSL_CTX_set_app_data(ctx, &impl);
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION);
    SSL_CTX_set_options(
        ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    // An idle connection holds no record buffer; a write may take what the socket takes.
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(ctx, 1);
    SSL_CTX_set_max_cert_list(ctx, kMaxCertificates);
    if (SSL_CTX_set_cipher_list(ctx, kSuites12) != 1)
        throw std::runtime_error("no TLS suites: " + take_tls_error());
    bool grouped = false;
    for (const char* groups : kGroups) grouped = grouped || SSL_CTX_set1_groups_list(ctx, groups);
    ERR_clear_error();
    if (!grouped) throw std::runtime_error("no TLS groups");
    return context;
}

std::uint64_t next_trust_id() {
    static std::atomic<std::uint64_t> last{0};
    return ++last;
}

/// The scope within which sessions are resumed: its name and everything that clients are verified
/// with. Another CRL or anchor, and every client shows its certificate again.
std::array<std::uint8_t, SHA256_DIGEST_LENGTH> scope_of(const TlsServerSettings& settings) {
    ra::Bytes all;
    const auto take = [&all](ra::ByteView octets) {
        for (unsigned shift = 0; shift < 64; shift += 8)
            all.push_back(static_cast<std::uint8_t>(std::uint64_t{octets.size()} >> shift));
        ra::append(all, octets);
    };
    take(ra::as_bytes(settings.session_scope));
    all.push_back(static_cast<std::uint8_t>(settings.clients));
    for (const ra::Bytes& file : settings.client_trust.anchors) take(file);
    take({});
    for (const ra::Bytes& file : settings.client_trust.crls) take(file);
    std::array<std::uint8_t, SHA256_DIGEST_LENGTH> digest{};
    SHA256(all.data(), all.size(), digest.data());
    return digest;
}

/// Tells clients under which authorities we look for theirs.
void name_authorities(SSL_CTX& context, const TlsTrust& trust) {
    for (const ra::Bytes& file : trust.anchors) {
        for (const X509Ptr& anchor : read_certificates(file, "the TLS client_ca"))
            SSL_CTX_add_client_CA(&context, anchor.get());
    }
}

void verify_clients(SSL_CTX& context, const TlsServerSettings& settings) {
    if (settings.clients == TlsServerSettings::Clients::off) return;
    load_trust(context, settings.client_trust);
    name_authorities(context, settings.client_trust);
    const bool required = settings.clients == TlsServerSettings::Clients::required;
    set_verify_callback(context,
                        SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0));
}

void keep_sessions(SSL_CTX& context, const TlsServerSettings& settings) {
    const auto scope = scope_of(settings);
    SSL_CTX_set_session_id_context(&context, scope.data(), scope.size());
    // Tickets only: no memory, and any worker opens them.
    SSL_CTX_set_session_cache_mode(&context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(&context, 1);
    const long lifetime =
        std::chrono::duration_cast<std::chrono::seconds>(TlsTicketKeys::kLifetime).count();
    const bool clients = settings.clients != TlsServerSettings::Clients::off;
    SSL_CTX_set_timeout(&context, clients ? kClientSessionSeconds : lifetime);
}

}  // namespace

std::string alpn_of(const std::vector<std::string>& protocols) {
    std::string wire;
    for (const std::string& protocol : protocols) {
        if (protocol.empty() || protocol.size() > 255) continue;
        wire += static_cast<char>(protocol.size());
        wire += protocol;
    }
    return wire;
}

TlsContext::TlsContext(std::unique_ptr<Impl> impl) : impl_{std::move(impl)} {}
TlsContext::~TlsContext() = default;

const std::vector<TlsContext::Expiry>& TlsContext::expiries() const noexcept {
    return impl_->expiries;
}
const std::vector<std::string>& TlsContext::warnings() const noexcept { return impl_->warnings; }
std::uint64_t TlsContext::trust_id() const noexcept { return impl_->trust_id; }

TlsContextPtr TlsContext::server(const TlsServerSettings& settings,
                                 std::shared_ptr<TlsTicketKeys> tickets) {
    if (settings.identities.empty()) throw std::runtime_error("TLS without a certificate");
    const bool clients = settings.clients != TlsServerSettings::Clients::off;
    if (clients && settings.client_trust.anchors.empty())
        throw std::runtime_error("client certificates are asked for, and no client_ca is trusted");
    auto impl = std::make_unique<Impl>();
    impl->is_server = true;
    impl->tickets = std::move(tickets);
    impl->protocols = alpn_of(settings.protocols);
    impl->crl_grace = settings.client_trust.crl_grace;
    impl->trust_id = next_trust_id();
    for (const TlsIdentity& identity : settings.identities) {
        Impl::Seat& seat = impl->seats.emplace_back();
        seat.context = make_context(TLS_server_method(), *impl);
        load_identity(seat, identity, *impl);
        verify_clients(*seat.context, settings);
        keep_sessions(*seat.context, settings);
        set_server_callbacks(*seat.context);
    }
    return std::make_shared<const TlsContext>(std::move(impl));
}

TlsContextPtr TlsContext::client(const TlsClientSettings& settings) {
    if (settings.trust.anchors.empty())
        throw std::runtime_error("TLS to a CA without trust: that would accept everybody");
    auto impl = std::make_unique<Impl>();
    impl->crl_grace = settings.trust.crl_grace;
    impl->trust_id = next_trust_id();
    Impl::Seat& seat = impl->seats.emplace_back();
    seat.context = make_context(TLS_client_method(), *impl);
    load_trust(*seat.context, settings.trust);
    set_verify_callback(*seat.context, SSL_VERIFY_PEER);
    if (settings.identity) load_identity(seat, *settings.identity, *impl);
    keep_client_sessions(*seat.context);
    return std::make_shared<const TlsContext>(std::move(impl));
}

}  // namespace transports::common
