#pragma once

#include "transports/common/tls_context.h"
#include "transports/common/tls_ossl.h"

namespace transports::common {

struct TlsContext::Impl {
    /// One identity of a server: its own SSL_CTX, taken by host name.
    struct Seat {
        SslCtxPtr context;
        X509Ptr certificate;
        ra::Bytes ocsp_response;
        ra::WallTime ocsp_until{};  // stapled until then
    };

    std::vector<Seat> seats;  // a client has one
    std::shared_ptr<TlsTicketKeys> tickets;
    std::string protocols;  // of a server, as ALPN has them
    std::optional<std::chrono::seconds> crl_grace;
    bool is_server = false;
    std::uint64_t trust_id = 0;
    std::vector<Expiry> expiries;
    std::vector<std::string> warnings;

    [[nodiscard]] const Seat* seat_of(const SSL_CTX* context) const noexcept {
        for (const Seat& seat : seats) {
            if (seat.context.get() == context) return &seat;
        }
        return nullptr;
    }
    /// The identity whose certificate is for `name`, else the first.
    [[nodiscard]] const Seat& seat_for(const char* name) const noexcept;
};

/// A protocol list as ALPN has it.
[[nodiscard]] std::string alpn_of(const std::vector<std::string>& protocols);

/// The context that SSL's callbacks belong to: ex_data of each SSL_CTX.
[[nodiscard]] const TlsContext::Impl* context_of(const SSL* ssl) noexcept;

/// Loading (tls_load.cpp): everything throws std::runtime_error naming `name`.
[[nodiscard]] std::vector<X509Ptr> read_certificates(ra::ByteView octets, const std::string& name);
[[nodiscard]] EvpKeyPtr read_key(const TlsIdentity& identity);
void load_trust(SSL_CTX& context, const TlsTrust& trust);
void load_identity(TlsContext::Impl::Seat& seat, const TlsIdentity& identity,
                   TlsContext::Impl& impl);

/// The callback that seals and opens session tickets (tls_callbacks.cpp), and the others.
void set_server_callbacks(SSL_CTX& context);
void set_verify_callback(SSL_CTX& context, int mode);
/// OpenSSL's verdict, where `impl` (may be null) lets a CRL be a little old.
[[nodiscard]] int judge_crl_age(int good, X509_STORE_CTX* store,
                                const TlsContext::Impl* impl) noexcept;

/// From now on the server's certificate must be for `host`, a DNS name or an address. False: it is
/// no usable name, and everybody under the trust would do.
[[nodiscard]] bool expect_host(X509_VERIFY_PARAM* wanted, const std::string& host) noexcept;
[[nodiscard]] bool is_address(const std::string& host) noexcept;

/// A client's sessions go to the TlsSessions of the stream they came through (tls_stream.cpp).
void keep_client_sessions(SSL_CTX& context);

}  // namespace transports::common
