#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "ra/exchange.h"
#include "transports/coap/context.h"
#include "transports/coap/crossing.h"
#include "transports/coap/desk.h"
#include "transports/coap/psk_table.h"
#include "transports/common/announcements.h"
#include "transports/common/count.h"
#include "transports/common/tls_borrowed.h"
#include "transports/common/tls_context.h"
#include "transports/common/worker.h"

struct coap_session_t;
struct coap_pdu_t;

namespace transports::coap {

using common::Count;

/// Of one server.
struct CoapServerCounters {
    Count datagrams;        // requests and blocks of requests
    Count requests;         // whole requests handed to the Exchange
    Count repeated;         // that had come before: answered from what was kept, or not at all
    Count refused;          // 4.xx and 5.xx in an acknowledgement
    Count challenged;       // of them: 4.01 with Echo
    Count answers;          // of exchanges
    Count separate;         // of them: after the acknowledgement
    Count dropped_replies;  // answers that could not be sent, or were never acknowledged
    Count notifications;    // announcements sent to observers
    Count sessions;         // gauge: addresses and associations the library knows
    Count handshakes;       // DTLS and TLS, completed
    Count handshake_errors;
};

struct CoapServerSettings {
    ra::ListenerId listener{};
    Protocol protocol = Protocol::udp;
    std::string address = "127.0.0.1";
    std::uint16_t port = 0;
    DeskSettings desk;
    /// With DTLS and TLS one of the two at least: certificates, identities of pre-shared keys.
    common::TlsContextPtr tls;
    PskTablePtr psks;
    unsigned max_sessions = 1024;                     // idle addresses and associations kept
    std::chrono::seconds idle_time{60};               // after which one is forgotten
    std::chrono::milliseconds exchange_time{60'000};  // an arrival's deadline
};

/// CMP over CoAP (RFC 9482) on one port: requests go to the Exchanges of the workers in turn. A
/// reply that comes soon goes out with the acknowledgement, one that does not as a separate
/// response. An exchange that has begun is never cancelled. All of it is for the thread of `home`,
/// where not said otherwise; made before that runs, or on it.
class CoapServer final : public common::Announcements {
public:
    using Seat = Crossing::Seat;

    /// Binds; throws std::runtime_error naming the address. `home`, seats and counters outlive it.
    CoapServer(common::Worker& home, const CoapServerSettings& settings,
               const std::vector<Seat>& seats, CoapServerCounters& counters);
    ~CoapServer() override;

    /// Any thread.
    [[nodiscard]] std::uint16_t port() const noexcept { return bound_.port; }
    [[nodiscard]] const std::string& text() const noexcept { return bound_.text; }

    /// From now on; address, port and protocol stay.
    void use(const CoapServerSettings& settings);
    /// Handshakes from now on; not null where there was one.
    void set_tls(common::TlsContextPtr tls) { settings_.tls = std::move(tls); }
    void set_psks(PskTablePtr psks) { settings_.psks = std::move(psks); }
    /// New exchanges are turned away while it is.
    void stop(bool stopped) noexcept { desk_.stop(stopped); }
    /// Nothing runs, and every answer has been sent to its last octet.
    [[nodiscard]] bool quiet() const noexcept {
        return desk_.open() == 0 && desk_.undelivered() == 0;
    }
    [[nodiscard]] std::size_t open() const noexcept { return desk_.open(); }

    [[nodiscard]] std::size_t observers() const noexcept { return desk_.observers().size(); }

    void publish(ra::Bytes message) override;

private:
    struct Callbacks;
    struct Link;
    struct Held;
    /// A request whose exchange runs.
    struct Calling {
        std::unique_ptr<Held> held;
        std::uint16_t message_id = 0;
        bool unacknowledged = false;
    };
    /// What is known of one session of the library.
    struct Association {
        Endpoint endpoint;
        ra::PeerFacts peer;
    };

    void secure();
    void handle(coap_session_t* session, const coap_pdu_t* request, coap_pdu_t* response);
    void begin(coap_session_t* session, const Association& association, const Request& request,
               Desk::Begin&& begun);
    void answered(CallId id, std::optional<ra::Reply> reply);
    void send(coap_session_t* session, const Desk::Sending& sending);
    void send_in_acknowledgement(Calling& calling, const Desk::Sending& sending);
    void acknowledge_later();
    void acknowledge_due();
    [[nodiscard]] bool holds_back(CallId id) const;
    void publish_here(ra::Bytes message);
    [[nodiscard]] const Association& association_of(coap_session_t* session);
    void ended(coap_session_t* session);
    void expire_later();

    common::Worker& home_;
    CoapServerSettings settings_;
    CoapServerCounters& counters_;
    std::shared_ptr<Link> link_;
    Desk desk_;
    std::uint64_t last_association_ = 0;
    bool expiring_ = false;
    /// Requests not acknowledged yet, the oldest in front.
    struct Due {
        CallId id;
        ra::BootTime at;
    };
    std::deque<Due> due_;
    bool acknowledging_ = false;
    ra::Bytes nobody_;  // the key of identities that nobody has
    common::PemIdentity identity_;
    std::unordered_map<coap_session_t*, Association> associations_;
    // Sessions that are needed, and so are not the library's to free.
    std::unordered_map<CallId, Calling> calling_;
    std::map<Endpoint, std::unique_ptr<Held>> observing_;
    Crossing crossing_;
    Context context_;  // goes first: its sessions call back
    Context::Bound bound_;
};

}  // namespace transports::coap
