#pragma once

#include <map>
#include <optional>

#include "tests/sim/world.h"

namespace test::sim {

/// A device that enrols again and again, over a bad link, and checks all it is told. Throws
/// std::logic_error where the gateway told it something wrong.
class Device {
public:
    /// `number`: of Pki::devices.
    Device(World& world, std::size_t number, Way way) : world_{world}, number_{number}, way_{way} {}

    asio::awaitable<void> live(unsigned enrolments);
    [[nodiscard]] unsigned enrolled() const noexcept { return enrolled_; }

    /// How this one addresses and protects its messages.
    [[nodiscard]] static Envelope envelope(std::size_t number, Way way);

private:
    /// What an answer means to the device.
    enum class Heard : std::uint8_t {
        certificate,
        certificate_confirmed,
        wait,
        confirmed,
        refused
    };

    asio::awaitable<void> enrol();
    /// Poll and confirm until it ends.
    asio::awaitable<void> follow(Heard heard);
    asio::awaitable<std::optional<Heard>> ask(ra::ByteView body);
    asio::awaitable<void> ask_again(ra::Bytes octets, Span within = std::chrono::milliseconds{300});
    Heard listen(const ra::Bytes& asked, const ra::Bytes& answer);

    World& world_;
    std::size_t number_;
    Way way_;
    unsigned enrolled_ = 0;

    // Of the enrolment under way.
    Envelope envelope_;
    ra::Bytes first_nonce_, ca_nonce_;
    std::int64_t check_after_ = 0;
    std::size_t heard_at_ = 0;                 // in World::overheard
    std::map<ra::Bytes, ra::Bytes> positive_;  // request -> the CA's answer to it
};

/// Somebody on the downstream network: forged copies, foreign follow-ups, other signers (S-01).
asio::awaitable<void> attack(World& world, unsigned messages);

}  // namespace test::sim
