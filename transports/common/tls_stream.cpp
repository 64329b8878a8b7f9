#include "transports/common/tls_stream.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <boost/asio/error.hpp>
#include <stdexcept>

#include "ra/base/cpu_time.h"
#include "transports/common/tls_bio.h"
#include "transports/common/tls_context_impl.h"

namespace transports::common {

namespace asio = boost::asio;

namespace {

// A handshake with the longest chain we take is half of it.
constexpr std::size_t kHandshakeOctets = 64 * 1024;
constexpr std::size_t kRecordOctets = 16 * 1024;

std::string verdict_text(long verdict, const std::string& host) {
    switch (verdict) {
        case X509_V_ERR_HOSTNAME_MISMATCH:
        case X509_V_ERR_IP_ADDRESS_MISMATCH:
            return "it is not for " + host;
        case X509_V_ERR_CERT_HAS_EXPIRED:
            return "it, or one above it, has expired";
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
            return "its CA is unknown";
        default:
            return X509_verify_cert_error_string(verdict);
    }
}

template <auto Encode, class T>
ra::Bytes encoded(T* object) {
    unsigned char* der = nullptr;
    const int size = Encode(object, &der);
    if (size <= 0) return {};
    ra::Bytes octets{der, der + size};
    OPENSSL_free(der);
    return octets;
}

}  // namespace

struct TlsSessions::Impl {
    SslSessionPtr session;
};

TlsSessions::TlsSessions() : impl_{std::make_unique<Impl>()} {}
TlsSessions::~TlsSessions() = default;
void TlsSessions::forget() noexcept { impl_->session.reset(); }

struct TlsStream::Impl {
    TlsWire wire;
    SslPtr ssl;
    std::string host;  // a client: whose certificate is wanted
    std::shared_ptr<TlsSessions> sessions;
    bool established = false;
    bool broken = false;  // nothing may be said any more
    bool said_goodbye = false;
    bool read_blocked = false;  // the last read took all there was
    bool read_wants_write = false;
    bool write_wants_read = false;

    Impl(const TlsContext::Impl& context, PlainStream& transport) {
        wire.transport = &transport;
        wire.limit = kHandshakeOctets;
        ssl.reset(SSL_new(context.seats.front().context.get()));
        if (ssl == nullptr) throw std::bad_alloc{};
        BIO* bio = make_wire_bio(wire).release();
        SSL_set_bio(ssl.get(), bio, bio);
        SSL_set_app_data(ssl.get(), this);
    }
};

namespace {

int on_new_session(SSL* ssl, SSL_SESSION* session) noexcept {
    const auto* impl = static_cast<TlsStream::Impl*>(SSL_get_app_data(ssl));
    if (impl == nullptr || impl->sessions == nullptr) return 0;
    impl->sessions->impl().session.reset(session);
    return 1;  // it is ours now
}

}  // namespace

void keep_client_sessions(SSL_CTX& context) {
    SSL_CTX_set_session_cache_mode(&context,
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
    SSL_CTX_sess_set_new_cb(&context, on_new_session);
}

TlsStream::TlsStream(std::unique_ptr<PlainStream> transport, TlsContextPtr context)
    : transport_{std::move(transport)},
      context_{std::move(context)},
      impl_{std::make_unique<Impl>(context_->impl(), *transport_)} {
    SSL_set_accept_state(impl_->ssl.get());
}

TlsStream::TlsStream(std::unique_ptr<PlainStream> transport, TlsContextPtr context,
                     const std::string& host, const std::vector<std::string>& protocols,
                     std::shared_ptr<TlsSessions> sessions)
    : transport_{std::move(transport)},
      context_{std::move(context)},
      impl_{std::make_unique<Impl>(context_->impl(), *transport_)} {
    SSL* ssl = impl_->ssl.get();
    impl_->host = host;
    impl_->sessions = std::move(sessions);
    if (!expect_host(SSL_get0_param(ssl), host) ||
        (!is_address(host) && SSL_set_tlsext_host_name(ssl, host.c_str()) != 1))
        throw std::runtime_error("TLS to a host without a usable name");
    SSL_set_connect_state(ssl);
    const std::string alpn = alpn_of(protocols);
    if (!alpn.empty()) {
        SSL_set_alpn_protos(ssl, reinterpret_cast<const unsigned char*>(alpn.data()),
                            static_cast<unsigned>(alpn.size()));
    }
    if (impl_->sessions != nullptr) {
        SSL_SESSION* session = impl_->sessions->impl().session.get();
        if (session != nullptr && SSL_SESSION_is_resumable(session) == 1)
            SSL_set_session(ssl, session);
    }
}

TlsStream::~TlsStream() = default;

bool TlsStream::resumed() const noexcept { return SSL_session_reused(impl_->ssl.get()) == 1; }

std::string_view TlsStream::protocol() const noexcept {
    const unsigned char* text = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(impl_->ssl.get(), &text, &size);
    return {reinterpret_cast<const char*>(text), size};
}

/// One go at the handshake.
TlsStream::Wants TlsStream::step() {
    const auto before = ra::thread_cpu_time();
    ERR_clear_error();
    const int result = SSL_do_handshake(impl_->ssl.get());
    cost_ += ra::thread_cpu_time() - before;
    if (result == 1) {
        impl_->established = true;
        impl_->wire.limit = 0;
        return Wants::nothing;
    }
    switch (SSL_get_error(impl_->ssl.get(), result)) {
        case SSL_ERROR_WANT_READ:
            return Wants::read;
        case SSL_ERROR_WANT_WRITE:
            return Wants::write;
        default:
            impl_->broken = true;
            return Wants::nothing;
    }
}

/// Why the handshake broke.
TlsFault TlsStream::fault_now() {
    using Kind = TlsFault::Kind;
    const long verdict = SSL_get_verify_result(impl_->ssl.get());
    const unsigned long code = ERR_peek_error();
    if (impl_->wire.fault == asio::error::message_size) {
        ERR_clear_error();
        return {Kind::protocol,
                "the handshake is longer than " + std::to_string(kHandshakeOctets) + " octets"};
    }
    if (ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED) {
        ERR_clear_error();
        return {Kind::certificate, "the peer's certificate: " + verdict_text(verdict, impl_->host)};
    }
    if (ERR_GET_REASON(code) == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)
        return {Kind::certificate, take_tls_error()};
    if (impl_->wire.fault && (code == 0 || impl_->wire.fault != asio::error::eof)) {
        ERR_clear_error();
        return {Kind::gone, impl_->wire.fault.message()};
    }
    if (impl_->wire.fault == asio::error::eof &&
        ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        ERR_clear_error();
        return {Kind::gone, "the peer closed"};
    }
    return {Kind::protocol, take_tls_error()};
}

/// The handshake is done: what it says about the peer.
std::optional<TlsFault> TlsStream::conclude() {
    SSL* ssl = impl_->ssl.get();
    auto facts = std::make_shared<ra::TlsFacts>();
    facts->version = SSL_get_version(ssl);
    facts->resumed = resumed();
    facts->trust = context_->trust_id();
    const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (name != nullptr) facts->server_name = name;
    X509* peer = SSL_get0_peer_certificate(ssl);
    if (peer != nullptr && SSL_get_verify_result(ssl) != X509_V_OK) {
        return TlsFault{TlsFault::Kind::certificate,
                        verdict_text(SSL_get_verify_result(ssl), impl_->host)};
    }
    // A resumed session brings the certificate of its beginning, which nobody looked at again.
    if (peer != nullptr && facts->resumed && X509_cmp_current_time(X509_get0_notAfter(peer)) <= 0)
        return TlsFault{TlsFault::Kind::certificate, "it has expired since the session began"};
    if (peer != nullptr && context_->impl().is_server) {
        facts->client_certificate = encoded<i2d_X509>(peer);
        facts->client_subject = encoded<i2d_X509_NAME>(X509_get_subject_name(peer));
    }
    transport_->facts().tls = std::move(facts);
    return std::nullopt;
}

asio::awaitable<std::optional<TlsFault>> TlsStream::handshake(ra::BootTime until) {
    transport_->expires_at(until);
    for (;;) {
        const Wants wants = step();
        if (impl_->broken) co_return fault_now();
        if (wants == Wants::nothing) break;
        Ready ready = Ready::ready;
        if (wants == Wants::read) {
            ready = co_await transport_->wait_read();
        } else {
            ready = co_await transport_->wait_write();
        }
        if (ready == Ready::timed_out)
            co_return TlsFault{TlsFault::Kind::timed_out, "no handshake in time"};
        if (ready == Ready::closed) co_return TlsFault{TlsFault::Kind::gone, "closed"};
    }
    auto fault = conclude();
    if (fault) impl_->broken = true;
    co_return fault;
}

error_code TlsStream::error_after(int result) noexcept {
    switch (SSL_get_error(impl_->ssl.get(), result)) {
        case SSL_ERROR_ZERO_RETURN:
            return asio::error::eof;
        case SSL_ERROR_WANT_READ:
        case SSL_ERROR_WANT_WRITE:
            return asio::error::would_block;
        default:
            break;
    }
    impl_->broken = true;
    ERR_clear_error();
    const error_code fault = impl_->wire.fault;
    // An end without close_notify may be somebody cutting the connection: not an end of file.
    if (fault && fault != asio::error::eof) return fault;
    return asio::error::connection_reset;
}

std::size_t TlsStream::try_read(std::span<std::uint8_t> to, error_code& error) noexcept {
    SSL* ssl = impl_->ssl.get();
    if (impl_->broken) {
        error = asio::error::connection_reset;
        return 0;
    }
    ERR_clear_error();
    std::size_t got = 0;
    const int result = SSL_read_ex(ssl, to.data(), to.size(), &got);
    if (result == 1) {
        impl_->read_blocked = false;
        error = {};
        return got;
    }
    impl_->read_wants_write = SSL_want_write(ssl) == 1;
    impl_->read_blocked = true;
    error = error_after(result);
    return 0;
}

std::size_t TlsStream::write_some(ra::ByteView octets, error_code& error) noexcept {
    ERR_clear_error();
    std::size_t sent = 0;
    const int result = SSL_write_ex(impl_->ssl.get(), octets.data(), octets.size(), &sent);
    if (result == 1) {
        error = {};
        return sent;
    }
    impl_->write_wants_read = SSL_want_read(impl_->ssl.get()) == 1;
    error = error_after(result);
    return 0;
}

std::size_t TlsStream::try_write(ra::ByteView head, ra::ByteView body, error_code& error) noexcept {
    if (impl_->broken || impl_->said_goodbye) {
        error = asio::error::broken_pipe;
        return 0;
    }
    // Header and content in one record, and so in one segment where they fit.
    thread_local std::array<std::uint8_t, kRecordOctets> record;
    error = {};
    const std::size_t whole = head.size() + body.size();
    std::size_t done = 0;
    while (done < whole && !error) {
        ra::ByteView piece;
        if (done >= head.size()) {
            piece = body.subspan(done - head.size());
        } else if (body.empty()) {
            piece = head.subspan(done);
        } else {
            const auto from_head =
                head.subspan(done).first(std::min(head.size() - done, record.size()));
            const auto from_body =
                body.first(std::min(body.size(), record.size() - from_head.size()));
            std::ranges::copy(from_head, record.begin());
            std::ranges::copy(from_body,
                              record.begin() + static_cast<std::ptrdiff_t>(from_head.size()));
            piece = ra::ByteView{record}.first(from_head.size() + from_body.size());
        }
        done += write_some(piece, error);
    }
    return done;
}

asio::awaitable<Ready> TlsStream::wait_read() {
    if (!impl_->read_blocked && SSL_has_pending(impl_->ssl.get()) == 1) {
        return [](TlsStream&) -> asio::awaitable<Ready> { co_return Ready::ready; }(*this);
    }
    impl_->read_blocked = false;
    return impl_->read_wants_write ? transport_->wait_write() : transport_->wait_read();
}

asio::awaitable<Ready> TlsStream::wait_write() {
    return impl_->write_wants_read ? transport_->wait_read() : transport_->wait_write();
}

bool TlsStream::quiet() noexcept {
    if (impl_->broken || impl_->said_goodbye) return false;
    // Session tickets and key updates are taken in by it; only data or an end is noise.
    ERR_clear_error();
    std::uint8_t octet = 0;
    std::size_t got = 0;
    const int result = SSL_peek_ex(impl_->ssl.get(), &octet, 1, &got);
    if (result == 1) return false;
    const error_code error = error_after(result);
    return error == asio::error::would_block;
}

void TlsStream::say_goodbye() noexcept {
    if (!impl_->established || impl_->broken || impl_->said_goodbye) return;
    impl_->said_goodbye = true;
    ERR_clear_error();
    SSL_shutdown(impl_->ssl.get());
    ERR_clear_error();
}

void TlsStream::shutdown_write() noexcept {
    say_goodbye();
    transport_->shutdown_write();
}

void TlsStream::close() noexcept {
    if (transport_->is_open()) say_goodbye();
    transport_->close();
}

}  // namespace transports::common
