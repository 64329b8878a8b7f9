#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <string_view>

#include "ra/base/random.h"
#include "ra/gateway/guesses.h"
#include "ra/gateway/mac_keys.h"
#include "ra/gateway/secrets.h"

namespace ra::gateway {

/// How guessing is slowed (S-22).
struct GuessLimits {
    Guesses::Settings delays;       // of {reference, source prefix}
    std::uint32_t lock_after = 10;  // failures, from wherever, against a secret we did not generate
    unsigned budget_per_minute = 60;  // failures against all of those; none is tried beyond
    std::size_t keys = 4096;          // derived, of open transactions
};

/// What a message that names a secret is verified with.
struct FoundSecret {
    Secret octets;           // a dummy where `usable` is false: the work is the same (S-21)
    bool usable = false;     // the octets are the secret's
    bool may_begin = false;  // false: expired; only for transactions that began before
    bool spent = false;      // no use is left for a new transaction
    std::string_view why;    // it is not usable, or may not begin; a literal, for the log only
    SecretUse use;
    bool generated = false;
};

/// Between the gateway and the secrets it keeps: gives out a secret only where it may be tried, and
/// counts failures (S-21, S-22). Shared by all workers.
class SecretGate {
public:
    /// `alarm`: a low-entropy secret was locked, or the budget of failures is used up; any thread.
    /// All outlive this; `random` is used here only, for what never equals a secret.
    using Alarm = std::function<void(std::string_view event, ByteView reference)>;
    SecretGate(Secrets& secrets, const Clock& clock, Random& random, GuessLimits limits = {},
               Alarm alarm = {});

    /// `source`: numeric address of the peer; empty: none.
    asio::awaitable<FoundSecret> find(ByteView reference, std::string_view profile,
                                      std::string_view source);
    /// Whether the MAC verified under what find() gave. `reference` and `source` as given there.
    asio::awaitable<void> tried(ByteView reference, std::string_view source,
                                const FoundSecret& found, bool verified);

    [[nodiscard]] MacKeys& keys() noexcept { return keys_; }

    struct Counts {
        std::uint64_t verified = 0, failed = 0, throttled = 0, locked = 0;
    };
    [[nodiscard]] Counts counts() const noexcept;

private:
    [[nodiscard]] bool within_budget(BootTime now);
    [[nodiscard]] bool count_guess(const SecretUse& use, BootTime now);

    Secrets& secrets_;
    const Clock& clock_;
    const GuessLimits limits_;
    const Alarm alarm_;
    const Secret dummy_;
    Guesses guesses_;
    MacKeys keys_;
    std::atomic<std::uint64_t> verified_{0}, failed_{0}, throttled_{0}, locked_{0};

    std::mutex mutex_;  // of what follows: secrets we did not generate
    struct Failures {
        std::uint64_t generation = 0;
        std::uint32_t count = 0;
    };
    std::map<crypto::Sha256, Failures> failures_;  // one a secret that exists, at most
    BootTime minute_{};
    unsigned in_minute_ = 0;
};

}  // namespace ra::gateway
