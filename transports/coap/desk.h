#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "ra/base/random.h"
#include "ra/exchange.h"
#include "transports/coap/calls.h"
#include "transports/coap/message.h"
#include "transports/coap/observers.h"
#include "transports/coap/partials.h"
#include "transports/coap/paths.h"
#include "transports/coap/peers.h"
#include "transports/coap/slices.h"

namespace transports::coap {

struct DeskSettings {
    std::vector<std::string> aliases;  // further base paths
    std::vector<std::string> labels;   // named in /.well-known/core
    Partials::Limits bodies;
    Calls::Limits calls;
    std::size_t peers = 8192;  // addresses whose octets are counted
    std::size_t observers = 1024;
};

/// CMP over CoAP without sockets (RFC 9482): requests in, what to do about them out. One server's
/// memory of what its peers have sent and were sent. Not thread-safe.
class Desk {
public:
    /// `random` outlives it.
    Desk(DeskSettings settings, ra::Random& random);

    /// From now on; what is kept stays.
    void use(DeskSettings settings);

    /// Answered at once, in the acknowledgement.
    struct Respond {
        Response response;
    };
    /// The response will come, or has come: nothing but an acknowledgement, where one is due.
    struct Wait {
        CallId id = 0;  // of which; 0: none is under way
    };
    /// An exchange to run, once. Its reply goes to answer().
    struct Begin {
        CallId id = 0;
        ra::Bytes body;
        std::string label;
        ra::Operation operation = ra::Operation::unspecified;
    };
    using Action = std::variant<Respond, Wait, Begin>;
    /// Views in a Respond are valid until the next call.
    [[nodiscard]] Action take(const Request& request, ra::BootTime now);

    /// A response to an earlier request, or to a registration.
    struct Sending {
        Endpoint to;
        ra::Bytes token;
        bool confirmable = true;
        unsigned transmissions = 5;  // at most, MAX_RETRANSMIT and the first (RFC 7252 4.8)
        Response response;
    };
    /// What goes with the acknowledgement is not retransmitted by us; what is separate is.
    enum class Sent : std::uint8_t { in_acknowledgement, separate };
    /// Of a call begun; `reply` is nullopt: its exchange broke. Yields nullopt if there is no such
    /// call.
    [[nodiscard]] std::optional<Sending> answer(CallId id, std::optional<ra::Reply> reply, Sent how,
                                                ra::BootTime now);

    /// To every observer; later blocks are served until the next announcement.
    [[nodiscard]] std::vector<Sending> publish(ra::Bytes message, ra::BootTime now);
    /// A notification was rejected or never acknowledged, or the association has ended.
    void unobserve(const Endpoint& from, ra::ByteView token) { observers_.remove(from, token); }
    void forget(const Endpoint& from);

    /// What takes time: call it every second or so.
    void expire(ra::BootTime now);

    /// New exchanges are turned away (5.03) while it is; those begun go on.
    void stop(bool stopped) noexcept { stopped_ = stopped; }

    [[nodiscard]] std::size_t open() const noexcept { return calls_.open(); }
    [[nodiscard]] std::size_t undelivered() const noexcept { return calls_.undelivered(); }
    /// There is something that expire() will drop one day.
    [[nodiscard]] bool holds() const noexcept { return partials_.size() != 0 || calls_.holds(); }
    [[nodiscard]] const Partials& partials() const noexcept { return partials_; }
    [[nodiscard]] std::size_t kept_octets() const noexcept { return calls_.kept_octets(); }
    [[nodiscard]] const Observers& observers() const noexcept { return observers_; }
    [[nodiscard]] const Peers& peers() const noexcept { return peers_; }

private:
    [[nodiscard]] Action post(const Request& request, ra::BootTime now);
    [[nodiscard]] Action get(const Request& request, ra::BootTime now);
    [[nodiscard]] Action get_announcement(const Request& request, ra::BootTime now);
    [[nodiscard]] Action begin(const Request& request, PathFacts facts, const std::string& path,
                               Partials::Taken taken, ra::BootTime now);
    [[nodiscard]] Action refuse(const Request& request, Code code, std::string_view text = {});
    [[nodiscard]] Action challenge(const Request& request, ra::BootTime now);
    [[nodiscard]] Action later_block(const Request& request, Call& call);
    [[nodiscard]] Action repeated(const Request& request, const Call* call);
    [[nodiscard]] Action charged(const Request& request, Response response);
    [[nodiscard]] std::uint8_t affordable(const Request& request) const noexcept;
    void limit(Sending& sending, Call& call) const;

    DeskSettings settings_;
    Bases bases_;
    std::string links_;
    Peers peers_;
    Partials partials_;
    Calls calls_;
    Observers observers_;
    ra::Bytes announcement_;  // the latest; empty: none yet
    std::uint32_t announced_ = 0;
    bool stopped_ = false;
    // Of the request being taken.
    bool validated_ = false;
    ra::BootTime now_{};
};

}  // namespace transports::coap
