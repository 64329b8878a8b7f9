#include "ra/gateway/secret_gate.h"

namespace ra::gateway {
namespace {

constexpr std::size_t kDummyOctets = 32;

}  // namespace

SecretGate::SecretGate(Secrets& secrets, const Clock& clock, Random& random, GuessLimits limits,
                       Alarm alarm)
    : secrets_{secrets},
      clock_{clock},
      limits_{limits},
      alarm_{std::move(alarm)},
      dummy_{random.octets(kDummyOctets)},
      guesses_{random, limits.delays},
      keys_{clock, limits.keys} {}

asio::awaitable<FoundSecret> SecretGate::find(ByteView reference, std::string_view profile,
                                              std::string_view source) {
    std::optional<KnownSecret> known = co_await secrets_.find_secret(reference);
    const BootTime now = clock_.boot_now();
    FoundSecret found;
    if (!known) {
        found.why = "unknown reference";
    } else if (!known->profile.empty() && known->profile != profile) {
        found.why = "the secret is for another profile";
    } else if (known->locked) {
        found.why = "the secret is locked";
    } else if (guesses_.delayed(reference, source, now)) {
        found.why = "too many failures from this source: not tried";
        ++throttled_;
    } else if (!known->generated && !within_budget(now)) {
        found.why = "too many failures altogether: not tried";
        ++throttled_;
    } else {
        found.usable = true;
        found.octets = std::move(known->octets);
        found.use = {crypto::sha256(reference), known->generation, SecretUse::Fate::reserved};
        found.generated = known->generated;
        found.spent = known->uses_left == 0U;
        found.may_begin = !known->expires || clock_.wall_now() < *known->expires;
        if (!found.may_begin) found.why = "the secret has expired";
    }
    if (!found.usable) found.octets = Secret{to_bytes(dummy_.reveal())};
    co_return found;
}

asio::awaitable<void> SecretGate::tried(ByteView reference, std::string_view source,
                                        const FoundSecret& found, bool verified) {
    if (verified) {
        ++verified_;
        guesses_.verified(reference, source);
        co_return;
    }
    ++failed_;
    const BootTime now = clock_.boot_now();
    // What was not tried told nothing, and must not keep the right one waiting for ever.
    if (guesses_.delayed(reference, source, now)) co_return;
    guesses_.failed(reference, source, now);
    if (!found.usable || found.generated || !count_guess(found.use, now)) co_return;
    if (!co_await secrets_.lock_secret(reference, found.use.generation)) co_return;
    ++locked_;
    if (alarm_) alarm_("secret-locked", reference);
}

bool SecretGate::within_budget(BootTime now) {
    const std::lock_guard guard{mutex_};
    return now - minute_ >= std::chrono::minutes{1} || in_minute_ < limits_.budget_per_minute;
}

/// One failure against a secret that could be guessed. True: it is to be locked.
bool SecretGate::count_guess(const SecretUse& use, BootTime now) {
    bool used_up = false;
    bool lock = false;
    {
        const std::lock_guard guard{mutex_};
        if (now - minute_ >= std::chrono::minutes{1}) {
            minute_ = now;
            in_minute_ = 0;
        }
        used_up = ++in_minute_ == limits_.budget_per_minute;
        Failures& failures = failures_[use.reference];
        if (failures.generation != use.generation) failures = {use.generation, 0};
        lock = ++failures.count == limits_.lock_after;
        if (lock) failures_.erase(use.reference);
    }
    if (used_up && alarm_) alarm_("secret-guesses", {});
    return lock;
}

SecretGate::Counts SecretGate::counts() const noexcept {
    return {verified_, failed_, throttled_, locked_};
}

}  // namespace ra::gateway
