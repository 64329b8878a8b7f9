#include "transports/coap/server.h"

#include <arpa/inet.h>

#include <cstring>
#include <utility>

#include "transports/coap/libcoap.h"
#include "transports/coap/pdus.h"

namespace transports::coap {

namespace {

constexpr std::chrono::seconds kExpireSoon{1};
constexpr std::chrono::seconds kExpireLater{20};
// An answer that comes within it goes with the acknowledgement (RFC 7252 5.2.1): two datagrams
// less, none of ours to retransmit, and libcoap's clients take the later blocks of no other answer
// to a request of one datagram. Well before a client's ACK_TIMEOUT (2 s), timers being 50 ms late.
constexpr std::chrono::milliseconds kHoldBack{400};
// Answers on their way to one address at a time (RFC 7252 4.7 has 1; a translator may sit there).
constexpr std::uint16_t kNstart = 8;
constexpr std::uint16_t kRetransmissions = 4;
// Handshakes under way. libcoap counts an address that has not sent the cookie back yet (RFC 6347
// 4.2.1) among them, for 30 s: few would let anybody shut the door with as many datagrams.
constexpr unsigned kMaxHandshakes = 8192;
constexpr std::size_t kNobodyOctets = 32;

/// First octet of an Endpoint.
constexpr std::uint8_t kAddress = 0;
constexpr std::uint8_t kAssociation = 1;

/// Numeric address and port of the peer; IPv4 in its own form also on an IPv6 socket.
void read_peer(const coap_session_t* session, ra::PeerFacts& peer, Endpoint& endpoint) {
    const coap_address_t* remote = coap_session_get_addr_remote(session);
    std::uint8_t* const octets = endpoint.octets.data() + 1;
    char text[INET6_ADDRSTRLEN] = {};
    if (remote->addr.sa.sa_family == AF_INET) {
        peer.port = ntohs(remote->addr.sin.sin_port);
        inet_ntop(AF_INET, &remote->addr.sin.sin_addr, text, sizeof text);
        std::memcpy(octets + 12, &remote->addr.sin.sin_addr, 4);
    } else {
        const in6_addr& address = remote->addr.sin6.sin6_addr;
        peer.port = ntohs(remote->addr.sin6.sin6_port);
        if (IN6_IS_ADDR_V4MAPPED(&address)) {
            inet_ntop(AF_INET, address.s6_addr + 12, text, sizeof text);
        } else {
            inet_ntop(AF_INET6, &address, text, sizeof text);
        }
        std::memcpy(octets, address.s6_addr, 16);
    }
    std::memcpy(octets + 16, &peer.port, sizeof peer.port);
    peer.address = text;
}

/// Nothing is sent for now: the library drops a response without code, if it is no acknowledgement.
void leave_out(coap_pdu_t* response) noexcept { coap_pdu_set_type(response, COAP_MESSAGE_NON); }

}  // namespace

/// How what runs elsewhere finds the server, if it is still there when it comes home.
struct CoapServer::Link {
    common::Worker& home;
    CoapServer* server;  // of the thread of `home`
};

struct CoapServer::Held {
    SessionRef session;
};

struct CoapServer::Callbacks {
    static CoapServer& of(const coap_session_t* session) noexcept {
        return *static_cast<CoapServer*>(coap_get_app_data(coap_session_get_context(session)));
    }
    template <class Work>
    static void guarded(CoapServer& server, Work work) noexcept {
        try {
            work();
        } catch (...) {
            server.home_.report("coap", std::current_exception());
        }
    }
    static void request(coap_resource_t*, coap_session_t* session, const coap_pdu_t* request,
                        const coap_string_t*, coap_pdu_t* response) noexcept {
        CoapServer& server = of(session);
        guarded(server, [&] { server.handle(session, request, response); });
    }
    /// A message of ours was never acknowledged, or rejected.
    static void nack(coap_session_t* session, const coap_pdu_t* sent, coap_nack_reason_t,
                     coap_mid_t) noexcept {
        CoapServer& server = of(session);
        guarded(server, [&] {
            server.counters_.dropped_replies.add();
            if (sent == nullptr) return;
            const coap_bin_const_t token = coap_pdu_get_token(sent);
            const Endpoint from = server.association_of(session).endpoint;
            server.desk_.unobserve(from, {token.s, token.length});
            if (!server.desk_.observers().any_of(from)) server.observing_.erase(from);
        });
    }
    /// Our TLS context for the library's new SSL.
    static int lend(void* ssl, coap_dtls_pki_t* setup) noexcept {
        const auto* server = static_cast<const CoapServer*>(setup->cn_call_back_arg);
        return common::lend_tls(ssl, server->settings_.tls) ? 1 : 0;
    }
    /// Whoever has no key fails as one with a wrong key does (RFC 4279 2, S-21).
    static const coap_bin_const_t* key_of(coap_bin_const_t* identity, coap_session_t*,
                                          void* argument) noexcept {
        static thread_local coap_bin_const_t key;
        const auto* server = static_cast<const CoapServer*>(argument);
        const ra::ByteView found =
            server->settings_.psks->find({identity->s, identity->length}).value_or(server->nobody_);
        key = {found.size(), found.data()};
        return &key;
    }
    static int event(coap_session_t* session, coap_event_t what) noexcept {
        CoapServer& server = of(session);
        guarded(server, [&] {
            switch (what) {
                case COAP_EVENT_SERVER_SESSION_NEW:
                    server.associations_.erase(session);
                    server.counters_.sessions.add();
                    break;
                case COAP_EVENT_SERVER_SESSION_DEL:
                    server.counters_.sessions.subtract();
                    server.ended(session);
                    server.associations_.erase(session);
                    break;
                case COAP_EVENT_DTLS_CONNECTED:
                    server.counters_.handshakes.add();
                    break;
                case COAP_EVENT_DTLS_ERROR:
                    server.counters_.handshake_errors.add();
                    break;
                case COAP_EVENT_DTLS_CLOSED:
                case COAP_EVENT_TCP_CLOSED:
                case COAP_EVENT_SESSION_CLOSED:
                    server.ended(session);
                    break;
                default:
                    break;
            }
        });
        return 0;
    }
};

CoapServer::CoapServer(common::Worker& home, const CoapServerSettings& settings,
                       const std::vector<Seat>& seats, CoapServerCounters& counters)
    : home_{home},
      settings_{settings},
      counters_{counters},
      link_{std::make_shared<Link>(home, this)},
      desk_{settings.desk, home.random()},
      crossing_{
          home, seats,
          [this](CallId id, std::optional<ra::Reply> reply) { answered(id, std::move(reply)); }},
      context_{home} {
    coap_context_t* const context = context_.get();
    coap_set_app_data(context, this);
    coap_register_event_handler(context, Callbacks::event);
    coap_register_nack_handler(context, Callbacks::nack);
    // Paths are parsed by the desk. The library would answer some by itself, if they were not here.
    static constexpr char kCore[] = ".well-known/core";
    coap_resource_t* const core = coap_resource_init(coap_make_str_const(kCore), 0);
    coap_resource_t* const rest = coap_resource_unknown_init2(Callbacks::request, 0);
    if (core == nullptr || rest == nullptr) throw std::runtime_error("libcoap: no resource");
    for (coap_resource_t* resource : {core, rest}) {
        for (const coap_request_t method :
             {COAP_REQUEST_GET, COAP_REQUEST_POST, COAP_REQUEST_PUT, COAP_REQUEST_DELETE,
              COAP_REQUEST_FETCH, COAP_REQUEST_PATCH, COAP_REQUEST_IPATCH})
            coap_register_request_handler(resource, method, Callbacks::request);
        coap_add_resource(context, resource);
    }
    if (is_secure(settings.protocol)) secure();
    use(settings);
    bound_ = context_.listen(settings.address, settings.port, settings.protocol);
}

/// Who is it that comes: by certificate, as the TLS of the other listeners, or by a key it shares.
void CoapServer::secure() {
    coap_context_t* const context = context_.get();
    coap_context_set_max_handshake_sessions(context, kMaxHandshakes);
    nobody_ = home_.random().octets(kNobodyOctets);
    // First: the library makes the SSL of the next association ahead.
    if (!common::guard_server_tls(context_.borrowers()))
        throw std::runtime_error("libcoap: its TLS is not OpenSSL's");
    if (settings_.psks != nullptr) {
        coap_dtls_spsk_t psk{};
        psk.version = COAP_DTLS_SPSK_SETUP_VERSION;
        psk.validate_id_call_back = Callbacks::key_of;
        psk.id_call_back_arg = this;
        // Without one the library looks for no PSK in a ClientHello.
        psk.psk_info.key = {nobody_.size(), nobody_.data()};
        if (coap_context_set_psk2(context, &psk) != 1)
            throw std::runtime_error("libcoap: no pre-shared keys");
    }
    if (settings_.tls == nullptr) return;
    identity_ = common::first_identity(*settings_.tls);
    coap_dtls_pki_t pki{};
    pki.version = COAP_DTLS_PKI_SETUP_VERSION;
    pki.verify_peer_cert = 1;
    pki.additional_tls_setup_call_back = Callbacks::lend;
    pki.cn_call_back_arg = this;
    pki.pki_key.key_type = COAP_PKI_KEY_PEM_BUF;
    auto& pem = pki.pki_key.key.pem_buf;
    pem.public_cert = ra::as_bytes(identity_.certificate).data();
    pem.public_cert_len = identity_.certificate.size();
    pem.private_key = identity_.key.reveal().data();
    pem.private_key_len = identity_.key.reveal().size();
    if (coap_context_set_pki(context, &pki) != 1)
        throw std::runtime_error("libcoap: no DTLS with certificates");
}

CoapServer::~CoapServer() {
    link_->server = nullptr;
    // They are the context's, which goes before these maps.
    calling_.clear();
    observing_.clear();
}

void CoapServer::use(const CoapServerSettings& settings) {
    PskTablePtr psks = settings.psks != nullptr ? settings.psks : settings_.psks;
    settings_ = settings;
    settings_.psks = std::move(psks);
    desk_.use(settings.desk);
    coap_context_t* const context = context_.get();
    coap_context_set_max_idle_sessions(context, settings.max_sessions);
    coap_context_set_session_timeout(context, static_cast<unsigned>(settings.idle_time.count()));
    coap_context_set_csm_max_message_size(
        context, static_cast<std::uint32_t>(settings.desk.bodies.message + 1024));
}

const CoapServer::Association& CoapServer::association_of(coap_session_t* session) {
    const auto [found, added] = associations_.try_emplace(session);
    Association& association = found->second;
    if (!added) return association;
    read_peer(session, association.peer, association.endpoint);
    association.endpoint.octets[0] = kAddress;
    if (settings_.protocol != Protocol::udp) {
        // A new association from the same address is another peer.
        association.endpoint = {};
        association.endpoint.octets[0] = kAssociation;
        const std::uint64_t number = ++last_association_;
        std::memcpy(association.endpoint.octets.data() + 1, &number, sizeof number);
    }
    if (is_secure(settings_.protocol)) {
        coap_tls_library_t library{};
        if (void* ssl = coap_session_get_tls(session, &library))
            association.peer.tls = common::facts_of(ssl);
    }
    coap_session_set_nstart(session, kNstart);
    return association;
}

void CoapServer::ended(coap_session_t* session) {
    // An address goes on being one; an association does not come back.
    if (settings_.protocol == Protocol::udp) return;
    const auto found = associations_.find(session);
    if (found == associations_.end()) return;
    desk_.forget(found->second.endpoint);
    observing_.erase(found->second.endpoint);
}

void CoapServer::handle(coap_session_t* session, const coap_pdu_t* pdu, coap_pdu_t* response) {
    counters_.datagrams.add();
    const Association& association = association_of(session);
    Request request;
    request.from = association.endpoint;
    request.validated = settings_.protocol != Protocol::udp;
    read_request(session, pdu, request);
    Desk::Action action = desk_.take(request, ra::BootClock::now());
    if (auto* begun = std::get_if<Desk::Begin>(&action)) {
        begin(session, association, request, std::move(*begun));
        if (holds_back(begun->id)) leave_out(response);
    } else if (auto* respond = std::get_if<Desk::Respond>(&action)) {
        const Response& made = respond->response;
        if (class_of(made.code) >= 4) counters_.refused.add();
        if (!made.echo.empty()) counters_.challenged.add();
        if (!write_response(made, response))
            coap_pdu_set_code(response, COAP_RESPONSE_CODE_INTERNAL_ERROR);
        if (request.observe) {
            if (!desk_.observers().any_of(request.from)) {
                observing_.erase(request.from);
            } else if (!observing_.contains(request.from)) {
                observing_.emplace(request.from, std::make_unique<Held>(hold(session)));
            }
        }
    } else {
        counters_.repeated.add();
        if (holds_back(std::get<Desk::Wait>(action).id)) leave_out(response);
    }
    expire_later();
}

void CoapServer::begin(coap_session_t* session, const Association& association,
                       const Request& request, Desk::Begin&& begun) {
    counters_.requests.add();
    ra::Arrival arrival;
    arrival.der = std::move(begun.body);
    arrival.listener = settings_.listener;
    arrival.label = std::move(begun.label);
    arrival.advised = begun.operation;
    arrival.peer = association.peer;
    arrival.deadline = ra::BootClock::now() + settings_.exchange_time;
    home_.random().fill(arrival.trace.octets);
    Calling& calling = calling_[begun.id];
    calling.held = std::make_unique<Held>(hold(session));
    calling.message_id = request.message_id;
    calling.unacknowledged = request.confirmable && !request.reliable;
    if (calling.unacknowledged) {
        due_.push_back({begun.id, ra::BootClock::now() + kHoldBack});
        acknowledge_later();
    }
    crossing_.begin(begun.id, std::move(arrival));
}

void CoapServer::answered(CallId id, std::optional<ra::Reply> reply) {
    const auto found = calling_.extract(id);
    if (found.empty()) return;
    Calling& calling = found.mapped();
    const auto how = calling.unacknowledged ? Desk::Sent::in_acknowledgement : Desk::Sent::separate;
    const auto sending = desk_.answer(id, std::move(reply), how, ra::BootClock::now());
    if (!sending) return;
    counters_.answers.add();
    if (calling.unacknowledged) return send_in_acknowledgement(calling, *sending);
    counters_.separate.add();
    send(calling.held->session.get(), *sending);
    context_.arm();
}

void CoapServer::send_in_acknowledgement(Calling& calling, const Desk::Sending& sending) {
    coap_session_t* const session = calling.held->session.get();
    PduHandle pdu{coap_pdu_init(COAP_MESSAGE_ACK,
                                static_cast<coap_pdu_code_t>(sending.response.code),
                                calling.message_id, coap_session_max_pdu_size(session))};
    if (pdu == nullptr ||
        coap_add_token(pdu.get(), sending.token.size(), sending.token.data()) == 0 ||
        !write_response(sending.response, pdu.get()) ||
        coap_send(session, pdu.release()) == COAP_INVALID_MID)
        counters_.dropped_replies.add();
}

bool CoapServer::holds_back(CallId id) const {
    const auto found = calling_.find(id);
    return found != calling_.end() && found->second.unacknowledged;
}

void CoapServer::acknowledge_later() {
    if (std::exchange(acknowledging_, true)) return;
    home_.schedule(due_.front().at, [link = link_] {
        if (link->server != nullptr) link->server->acknowledge_due();
    });
}

/// Exchanges that take their time: their clients are told that the request has come.
void CoapServer::acknowledge_due() {
    acknowledging_ = false;
    const auto now = ra::BootClock::now();
    while (!due_.empty()) {
        const auto found = calling_.find(due_.front().id);
        if (found != calling_.end()) {
            if (due_.front().at > now) break;
            found->second.unacknowledged = false;
            coap_session_t* const session = found->second.held->session.get();
            PduHandle pdu{
                coap_pdu_init(COAP_MESSAGE_ACK, COAP_EMPTY_CODE, found->second.message_id, 0)};
            if (pdu != nullptr) coap_send(session, pdu.release());
        }
        due_.pop_front();
    }
    if (!due_.empty()) acknowledge_later();
}

void CoapServer::send(coap_session_t* session, const Desk::Sending& sending) {
    PduHandle pdu{coap_pdu_init(sending.confirmable ? COAP_MESSAGE_CON : COAP_MESSAGE_NON,
                                static_cast<coap_pdu_code_t>(sending.response.code),
                                coap_new_message_id(session), coap_session_max_pdu_size(session))};
    if (pdu == nullptr ||
        coap_add_token(pdu.get(), sending.token.size(), sending.token.data()) == 0 ||
        !write_response(sending.response, pdu.get())) {
        counters_.dropped_replies.add();
        return;
    }
    const auto again = static_cast<std::uint16_t>(sending.transmissions - 1);
    coap_session_set_max_retransmit(session, std::min(again, kRetransmissions));
    if (coap_send(session, pdu.release()) == COAP_INVALID_MID) counters_.dropped_replies.add();
}

void CoapServer::publish(ra::Bytes message) {
    home_.post([link = link_, message = std::move(message)]() mutable {
        if (link->server != nullptr) link->server->publish_here(std::move(message));
    });
}

void CoapServer::publish_here(ra::Bytes message) {
    for (const Desk::Sending& sending : desk_.publish(std::move(message), ra::BootClock::now())) {
        const auto found = observing_.find(sending.to);
        if (found == observing_.end()) continue;
        counters_.notifications.add();
        send(found->second->session.get(), sending);
    }
    context_.arm();
    expire_later();
}

/// Wakes only while there is something that ends by time.
void CoapServer::expire_later() {
    if (std::exchange(expiring_, true)) return;
    const auto wait = desk_.partials().size() != 0 ? kExpireSoon : kExpireLater;
    home_.schedule(ra::BootClock::now() + wait, [link = link_] {
        CoapServer* const server = link->server;
        if (server == nullptr) return;
        server->expiring_ = false;
        server->desk_.expire(ra::BootClock::now());
        if (server->desk_.holds()) server->expire_later();
    });
}

}  // namespace transports::coap
