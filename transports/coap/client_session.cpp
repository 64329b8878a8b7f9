#include "transports/coap/client_session.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "transports/coap/libcoap.h"
#include "transports/common/tls_borrowed.h"

namespace transports::coap {

namespace asio = boost::asio;

namespace {

// Requests of ours on their way to one server (RFC 7252 4.7 has 1, for constrained ones).
constexpr std::uint16_t kNstart = 32;

/// SNI has names only (RFC 6066 3).
bool is_name(const std::string& host) {
    return host.find(':') == std::string::npos &&
           host.find_first_not_of("0123456789.") != std::string::npos;
}

}  // namespace

std::shared_ptr<ClientSession> ClientSession::open(common::Worker& worker, Context& context,
                                                   To to) {
    std::shared_ptr<ClientSession> made{new ClientSession{worker, std::move(to)}};
    const To& with = made->to_;
    coap_address_t address;
    coap_address_init(&address);
    std::memcpy(&address.addr, with.address.data(), with.address.size());
    address.size = static_cast<socklen_t>(with.address.size());
    const coap_proto_t proto = proto_of(with.protocol);
    if (is_secure(with.protocol)) {
        if (!common::lend_client_tls(context.borrowers(), with.tls, with.host)) return nullptr;
        coap_dtls_pki_t pki{};
        pki.version = COAP_DTLS_PKI_SETUP_VERSION;
        pki.verify_peer_cert = 1;
        pki.pki_key.key_type = COAP_PKI_KEY_PEM;
        if (is_name(with.host)) made->server_name_ = with.host;
        if (!made->server_name_.empty()) pki.client_sni = made->server_name_.data();
        made->session_ = coap_new_client_session_pki(context.get(), nullptr, &address, proto, &pki);
    } else {
        made->session_ = coap_new_client_session(context.get(), nullptr, &address, proto);
    }
    if (made->session_ == nullptr) return nullptr;
    coap_session_set_nstart(made->session_, kNstart);
    coap_session_set_app_data(made->session_, made.get());
    made->lend();
    if (with.protocol == Protocol::udp) made->state_ = State::established;
    if (made->state_ == State::over) return nullptr;
    return made;
}

ClientSession::~ClientSession() {
    if (session_ == nullptr) return;
    coap_session_set_app_data(session_, nullptr);
    coap_session_release(session_);
}

void* ClientSession::tls() const noexcept {
    coap_tls_library_t library{};
    void* const found = coap_session_get_tls(session_, &library);
    return library == COAP_TLS_LIBRARY_OPENSSL ? found : nullptr;
}

void ClientSession::lend() {
    if (lent_ || state_ != State::opening || !is_secure(to_.protocol)) return;
    void* const ssl = tls();
    if (ssl == nullptr) return;  // TCP is not connected yet
    lent_ = common::lend_verdict(ssl, to_.tls);
    if (!lent_) end(true);
}

bool ClientSession::secured() {
    lend();
    if (state_ == State::opening && !common::is_expected_peer(tls())) end(true);
    if (state_ != State::opening) return state_ == State::established;
    // Over TCP the server's capabilities come first (RFC 8323 5.3).
    if (to_.protocol == Protocol::dtls) become(State::established);
    return true;
}

void ClientSession::connected() {
    if (state_ != State::opening) return;
    if (is_secure(to_.protocol) && !common::is_expected_peer(tls())) return end(true);
    become(State::established);
}

void ClientSession::end(bool in_handshake) noexcept {
    if (state_ == State::over) return;
    if (state_ == State::opening && in_handshake) {
        why_ = "tls";
        refused_certificate_ = common::refused_certificate(tls());
    }
    become(State::over);
}

void ClientSession::become(State state) noexcept {
    state_ = state;
    for (common::Wakeup* one : waiting_) one->notify();
    waiting_.clear();
}

asio::awaitable<bool> ClientSession::established(ra::BootTime until) {
    if (state_ == State::opening) {
        common::Wakeup wakeup{worker_};
        waiting_.push_back(&wakeup);
        (void)co_await wakeup.wait(until);
        std::erase(waiting_, &wakeup);
    }
    co_return state_ == State::established;
}

}  // namespace transports::coap
