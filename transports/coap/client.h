#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ra/exchange.h"
#include "transports/coap/client_session.h"
#include "transports/coap/context.h"
#include "transports/coap/conversation.h"
#include "transports/common/wakeup.h"
#include "transports/common/worker.h"
#include "transports/http1/counters.h"
#include "transports/http1/name_cache.h"
#include "transports/http1/pooled_courier.h"

struct coap_pdu_t;

namespace transports::coap {

struct CoapClientSettings {
    Protocol protocol = Protocol::udp;
    std::string host;  // without brackets
    std::uint16_t port = 5683;
    std::string path;                // "/.well-known/cmp", as in a URL
    bool append_labels = false;      // label and operation of a delivery, in CoAP's short form
    std::size_t max_in_flight = 16;  // at a time, in one session
    std::size_t max_waiting = 1024;  // deliveries waiting for their turn; more: NotSent "busy"
    std::size_t max_answer = 1024 * 1024;
    std::chrono::milliseconds connect_time{10'000};  // until a session is established
    std::chrono::milliseconds idle_time{30'000};     // a secure session nobody used since is left
    common::TlsContextPtr tls;  // of a secure protocol; null: no session is opened
    std::string tls_name;       // whom the server's certificate must be for; empty: host
};

/// CMP over CoAP (RFC 9482) to one URL, from one worker, whose thread has a context of the library
/// of its own. Deliveries share one session, each with its own tokens.
class CoapCourier final : public http1::TlsCourier {
public:
    /// `worker` and `counters` outlive it; it outlives its deliveries. Throws std::runtime_error.
    CoapCourier(common::Worker& worker, CoapClientSettings settings,
                http1::HttpClientCounters& counters);
    ~CoapCourier() override;

    boost::asio::awaitable<ra::Sent> send(ra::Delivery delivery) override;
    /// Asks for /.well-known/core; that it answers at all is enough.
    boost::asio::awaitable<bool> probe(ra::Deadline until) override;
    void close() noexcept override;
    void set_tls(common::TlsContextPtr tls) override;

private:
    struct Callbacks;
    struct Running;
    using SessionPtr = std::shared_ptr<ClientSession>;
    class Turn;

    boost::asio::awaitable<bool> take_turn(ra::Deadline until);
    void end_turn() noexcept;
    boost::asio::awaitable<ra::Sent> deliver(const ra::Delivery& delivery);
    /// Established; else null, and `why`.
    boost::asio::awaitable<SessionPtr> connect(ra::Deadline until, const char*& why);
    [[nodiscard]] SessionPtr open(const http1::NameCache::Endpoint& to);
    /// New requests take another one.
    void leave(const SessionPtr& session);
    [[nodiscard]] bool ask(Running& running, const Conversation::Ask& ask);
    void heard(const coap_session_t* session, const coap_pdu_t* received);
    /// What was sent and not acknowledged will not be answered.
    void lost(const coap_pdu_t* sent);
    void ended(ClientSession& session, bool in_handshake);
    void finish(Running& running, ra::Sent sent);

    common::Worker& worker_;
    const CoapClientSettings settings_;
    http1::HttpClientCounters& counters_;
    http1::NameCache names_;
    std::map<std::string, Running*> running_;  // by token
    std::unique_ptr<Context> context_;
    common::TlsContextPtr tls_;
    std::vector<SessionPtr> left_;  // until the library is done with them
    SessionPtr session_;            // null: none is open. Goes before the context
    std::size_t in_flight_ = 0;
    std::deque<common::Wakeup*> waiting_;
    bool closed_ = false;
};

}  // namespace transports::coap
