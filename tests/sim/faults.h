#pragma once

#include <cstdint>

#include "tests/support/seeded_random.h"

namespace test::sim {

/// What goes wrong in one run, in percent of the occasions; drawn from the seed, so that some runs
/// have none of a kind and some have plenty.
struct Faults {
    explicit Faults(SeededRandom& random);
    [[nodiscard]] static Faults none() noexcept { return Faults{}; }

    // Between device and gateway.
    unsigned answer_lost = 0;         // the device repeats
    unsigned sent_twice = 0;          // the same octets at nearly the same time
    unsigned datagram_lost = 0;       // never came
    unsigned datagram_overtaken = 0;  // a copy of it comes after those that followed it
    unsigned forged = 0;              // an attacker joins in
    unsigned gives_up = 0;            // the device says no more
    unsigned wrong_nonce = 0;         // the device's follow-up is not for the last answer

    // Between gateway and CA.
    unsigned not_sent = 0;
    unsigned request_lost = 0;   // Unknown; the CA saw nothing
    unsigned response_lost = 0;  // Unknown; the CA did
    unsigned late = 0;           // beyond the deadline
    unsigned status = 0;         // an HTTP status without a message
    unsigned wrong_answer = 0;   // see SimUpstream

    // Of the CA itself.
    unsigned waits = 0;
    unsigned rejects = 0;

    // Of the gateway's surroundings.
    unsigned store_slow = 0;
    unsigned store_conflict = 0;
    unsigned pool_full = 0;
    unsigned clock_steps = 0;
    unsigned reloads = 0;

private:
    Faults() = default;
};

}  // namespace test::sim
