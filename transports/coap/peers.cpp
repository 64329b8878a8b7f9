#include "transports/coap/peers.h"

#include <algorithm>
#include <cstring>

namespace transports::coap {
namespace {

constexpr std::size_t kEchoOctets = 12;  // 4 of time, 8 of tag
// More than any answer with its retransmissions; nobody saves up for a flood.
constexpr std::size_t kMostCredit = 2'000'000;

std::uint32_t seconds_of(ra::BootTime time) noexcept {
    return static_cast<std::uint32_t>(
        std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count());
}

}  // namespace

Peers::Peer& Peers::touch(const Endpoint& peer) {
    const auto found = peers_.find(peer);
    if (found != peers_.end()) {
        order_.splice(order_.end(), order_, found->second.place);
        return found->second;
    }
    if (peers_.size() >= most_) {
        peers_.erase(order_.front());
        order_.pop_front();
    }
    Peer& made = peers_[peer];
    made.place = order_.insert(order_.end(), peer);
    return made;
}

bool Peers::received(const Request& request, ra::BootTime now) {
    if (request.validated) return true;
    Peer& peer = touch(request.from);
    if (is_echo_of(request.echo, request.from, now)) peer.validated_until = now + kEchoTime;
    peer.credit = std::min(kMostCredit, peer.credit + kFactor * request.octets);
    return now < peer.validated_until;
}

bool Peers::validated(const Endpoint& peer, ra::BootTime now) const noexcept {
    const auto found = peers_.find(peer);
    return found != peers_.end() && now < found->second.validated_until;
}

std::size_t Peers::credit(const Endpoint& peer) const noexcept {
    const auto found = peers_.find(peer);
    return found == peers_.end() ? 0 : found->second.credit;
}

void Peers::sent(const Endpoint& peer, std::size_t octets) noexcept {
    const auto found = peers_.find(peer);
    if (found == peers_.end()) return;
    found->second.credit -= std::min(found->second.credit, octets);
}

std::uint64_t Peers::tag(const Endpoint& peer, std::uint32_t time) const noexcept {
    std::array<std::uint8_t, 24> input{};
    std::memcpy(input.data(), peer.octets.data(), peer.octets.size());
    std::memcpy(input.data() + peer.octets.size(), &time, sizeof time);
    return hash_(input);
}

ra::Bytes Peers::echo_for(const Endpoint& peer, ra::BootTime now) const {
    const std::uint32_t time = seconds_of(now);
    const std::uint64_t mac = tag(peer, time);
    ra::Bytes echo(kEchoOctets);
    std::memcpy(echo.data(), &time, sizeof time);
    std::memcpy(echo.data() + sizeof time, &mac, sizeof mac);
    return echo;
}

bool Peers::is_echo_of(ra::ByteView echo, const Endpoint& peer, ra::BootTime now) const noexcept {
    if (echo.size() != kEchoOctets) return false;
    std::uint32_t time = 0;
    std::uint64_t mac = 0;
    std::memcpy(&time, echo.data(), sizeof time);
    std::memcpy(&mac, echo.data() + sizeof time, sizeof mac);
    const std::uint32_t age = seconds_of(now) - time;
    // One wrong guess costs a datagram and tells nothing: comparing need not be constant in time.
    return age <= static_cast<std::uint32_t>(kEchoTime.count()) && mac == tag(peer, time);
}

}  // namespace transports::coap
