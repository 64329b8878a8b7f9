#include <stdexcept>

#include "tests/sim/device.h"

namespace test::sim {

using namespace ra;

namespace {

/// A follow-up that would do the victim harm, were it the victim's.
Bytes foreign_follow_up(const Overheard& victim, Envelope envelope, World& world) {
    SeededRandom& random = world.kernel.random();
    envelope.time = world.kernel.wall_now();
    envelope.transaction_id = victim.transaction_id;
    envelope.sender_nonce = random.octets(16);
    // Who hears the link knows the nonce; an unprotected link is only as good as the nonce is
    // secret.
    envelope.recip_nonce =
        is_signed(victim.way) && !victim.ca_nonce.empty() ? victim.ca_nonce : random.octets(16);
    const Bytes hash = random.octets(32);
    const Bytes body =
        random.chance(50) ? cmp::build_cert_conf_body(hash, 0) : cmp::build_poll_req_body(0);
    return build_message(envelope, body);
}

Bytes flip_a_bit(Bytes octets, SeededRandom& random) {
    const std::uint64_t bit = random.below(octets.size() * 8);
    octets[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    return octets;
}

Bytes without_protection(const Bytes& octets) {
    const cmp::Limits limits;
    const auto message = cmp::parse_pki_message(octets, limits).value();
    Envelope envelope;
    envelope.sender = to_bytes(message.header.sender);
    envelope.sender_kid = to_bytes(message.header.sender_kid.value_or(ByteView{}));
    envelope.time = message.header.message_time.value();
    envelope.transaction_id = to_bytes(*message.header.transaction_id);
    envelope.sender_nonce = to_bytes(*message.header.sender_nonce);
    envelope.recip_nonce = to_bytes(message.header.recip_nonce.value_or(ByteView{}));
    return build_message(envelope, message.body);
}

Bytes forge(const Overheard& victim, World& world) {
    SeededRandom& random = world.kernel.random();
    const std::size_t devices = Pki::get().devices.size();
    if (!is_signed(victim.way)) {
        // Anybody can take an opaque sender's name; the nonces are what ties a follow-up.
        return foreign_follow_up(victim, Device::envelope(victim.device, Way::opaque), world);
    }
    switch (random.below(4)) {
        case 0:
            return flip_a_bit(victim.last_message, random);
        case 1:
            return without_protection(victim.last_message);
        case 2: {
            Envelope stranger;
            stranger.credential = Pki::get().stranger;
            return foreign_follow_up(victim, stranger, world);
        }
        default: {
            const std::size_t other = (victim.device + 1 + random.below(devices - 1)) % devices;
            return foreign_follow_up(victim, Device::envelope(other, Way::bare), world);
        }
    }
}

}  // namespace

asio::awaitable<void> attack(World& world, unsigned messages) {
    SeededRandom& random = world.kernel.random();
    for (unsigned i = 0; i < messages; ++i) {
        co_await world.kernel.sleep(std::chrono::milliseconds{random.below(2000)});
        if (world.overheard.empty() || !random.chance(world.faults.forged)) continue;
        const Overheard victim = world.overheard[random.below(world.overheard.size())];
        if (victim.last_message.empty()) continue;
        const Reply reply =
            co_await world.call(forge(victim, world), victim.way, victim.transaction_id, false);
        const auto* answer = std::get_if<Answer>(&reply);
        if (answer != nullptr && world.ca.said(answer->der, victim.way)) {
            throw std::logic_error{"S-01: a forged message got an answer of the CA"};
        }
    }
}

}  // namespace test::sim
