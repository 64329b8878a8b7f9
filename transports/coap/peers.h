#pragma once

#include <list>
#include <unordered_map>

#include "ra/base/random.h"
#include "ra/base/time.h"
#include "transports/coap/endpoint_hash.h"

namespace transports::coap {

/// What may be sent to whom while an address may be somebody else's: at most three times what came
/// from it (S-31; RFC 9175 2.6), until a cookie comes back (Echo). Bounded; who is forgotten starts
/// again with nothing.
class Peers {
public:
    static constexpr unsigned kFactor = 3;
    /// How long an Echo value counts, and how long an address stays validated.
    static constexpr std::chrono::seconds kEchoTime{300};

    Peers(std::size_t most, ra::Random& random)
        : most_{most}, hash_{random}, peers_{0, EndpointHash{ra::KeyedHash{random}}} {}

    /// A datagram came. Whether its sender is known to be there, by this one or an earlier one.
    bool received(const Request& request, ra::BootTime now);
    /// Whether it sent its cookie back lately.
    [[nodiscard]] bool validated(const Endpoint& peer, ra::BootTime now) const noexcept;
    /// Octets that may be sent there now, to an address that is not validated.
    [[nodiscard]] std::size_t credit(const Endpoint& peer) const noexcept;
    void sent(const Endpoint& peer, std::size_t octets) noexcept;

    /// A cookie for that address; tells nothing and costs no memory.
    [[nodiscard]] ra::Bytes echo_for(const Endpoint& peer, ra::BootTime now) const;
    [[nodiscard]] bool is_echo_of(ra::ByteView echo, const Endpoint& peer,
                                  ra::BootTime now) const noexcept;

    [[nodiscard]] std::size_t size() const noexcept { return peers_.size(); }

private:
    struct Peer {
        std::size_t credit = 0;
        ra::BootTime validated_until{};
        std::list<Endpoint>::iterator place;
    };
    [[nodiscard]] std::uint64_t tag(const Endpoint& peer, std::uint32_t time) const noexcept;
    Peer& touch(const Endpoint& peer);

    std::size_t most_;
    ra::KeyedHash hash_;
    std::unordered_map<Endpoint, Peer, EndpointHash> peers_;
    std::list<Endpoint> order_;  // the one that was quiet longest in front
};

}  // namespace transports::coap
