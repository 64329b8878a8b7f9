#include "tests/sim/faults.h"

namespace test::sim {

Faults::Faults(SeededRandom& random) {
    constexpr unsigned kMost = 25;
    for (unsigned* fault : {&answer_lost,    &sent_twice,    &datagram_lost, &datagram_overtaken,
                            &forged,         &gives_up,      &wrong_nonce,   &not_sent,
                            &request_lost,   &response_lost, &late,          &status,
                            &wrong_answer,   &waits,         &rejects,       &store_slow,
                            &store_conflict, &pool_full,     &clock_steps,   &reloads}) {
        if (random.chance(50)) *fault = static_cast<unsigned>(1 + random.below(kMost));
    }
}

}  // namespace test::sim
