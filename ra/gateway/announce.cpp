#include <algorithm>

#include "ra/crypto/protection.h"
#include "ra/gateway/announcer.h"
#include "ra/gateway/relay.h"
#include "ra/gateway/responder.h"

/// Announcements of a CA: ckuann, cann, rann, crlann (RFC 9810 5.3.13 to 5.3.16, RFC 9811 3.5).
/// They are passed on to whoever asked to hear of them, and change nothing here: no trust, no
/// revocation, no transaction.
namespace ra::gateway {
namespace {

using cmp::PKIFailureInfo;
using policy::Refuse;

/// How far its messageTime may be from now: one that is older has been heard, or is replayed.
constexpr std::chrono::seconds kWindow{600};

Outcome<void> check_time(const cmp::PKIHeader& header, WallTime now) {
    if (!header.message_time) {
        return Failure{Refuse{"announcement-time", PKIFailureInfo::badTime,
                              "an announcement without messageTime may be an old one"}};
    }
    const auto off = std::chrono::abs(now - *header.message_time);
    if (off <= kWindow) return boost::system::in_place_value;
    return Failure{Refuse{"announcement-time", PKIFailureInfo::badTime,
                          std::to_string(off.count()) + " s off"}};
}

}  // namespace

Outcome<Reply> Relay::announce(const cmp::PKIMessage& message, const Arrival& arrival) {
    if (message.header.pvno != 2 && message.header.pvno != 3) {
        return Failure{Refuse{"pvno", PKIFailureInfo::unsupportedVersion,
                              "pvno " + std::to_string(message.header.pvno)}};
    }
    if (const auto body = cmp::check_body(message, settings_.limits); !body)
        return Failure{body.error()};
    lap(Stage::parse);

    const UpstreamSettings* from = nullptr;
    std::string why = "no CA may announce through this listener";
    for (const auto& [name, upstream] : settings_.upstreams) {
        const auto& on = upstream.announces_on;
        if (std::find(on.begin(), on.end(), arrival.listener) == on.end()) continue;
        const auto signer =
            verify_responder(message, upstream.responder, nullptr, services_.chains);
        if (signer) {
            from = &upstream;
            break;
        }
        const Failure failure = signer.error();
        if (const auto* fault = std::get_if<UpstreamFault>(&failure))
            why = "upstream " + name + ": " + std::string(fault->rule) + ": " + fault->detail;
    }
    lap(Stage::origin);
    if (from == nullptr || services_.announcer == nullptr)
        return Failure{Refuse{"announcement", PKIFailureInfo::notAuthorized, std::move(why)}};
    progress_.ended.upstream = from->name;
    progress_.authentic = progress_.ended.verified = true;
    if (auto timely = check_time(message.header, services_.clock.wall_now()); !timely)
        return std::move(timely).error();
    const bool fresh =
        services_.announcer->announce(message.whole, crypto::sha256(message.protected_content()));
    progress_.ended.decision = fresh ? "forwarded" : "repeated";
    // Stored, or known already (RFC 9811 3.5).
    return Reply{Accepted{true}};
}

}  // namespace ra::gateway
