#include "ra/gateway/gateway.h"

#include "ra/gateway/relay.h"

namespace ra::gateway {
namespace {

/// What is left of a transaction whose message failed: `reply` becomes its kept answer where it
/// ended.
asio::awaitable<void> settle(Store& store, Progress& progress, const Reply& reply, BootTime now) {
    Held held = std::move(*progress.held);
    progress.held.reset();
    if (held.on_failure == OnFailure::release) {
        co_await store.release(held.key, held.version);
        co_return;
    }
    Record record = std::move(held.record);
    if (held.on_failure == OnFailure::revert) {
        record = std::move(*held.before);
    } else {
        record.state =
            held.on_failure == OnFailure::unknown ? State::outcome_unknown : State::finished;
        if (const auto* answer = std::get_if<Answer>(&reply))
            record.answer = std::make_shared<const Bytes>(answer->der);
        if (progress.ended.possibly_issued) {
            record.in_doubt = progress.ended.rule;
        } else {
            record.request.reset();
        }
    }
    record.remember_until = std::max(record.remember_until, now + progress.settings.replay_horizon);
    co_await store.advance(held.key, held.version, std::move(record));
}

std::size_t octets_of(const Reply& reply) noexcept {
    if (const auto* answer = std::get_if<Answer>(&reply)) return answer->der.size();
    return 0;
}

}  // namespace

Gateway::Gateway(Services services, SnapshotPtr snapshot)
    : services_{std::move(services)},
      kdf_{services_.kdf_pool != nullptr ? *services_.kdf_pool : services_.cpu, services_.timers},
      snapshots_{std::move(snapshot)} {
    services_.kdf = &kdf_;
}

Gateway::~Gateway() = default;

asio::awaitable<Reply> Gateway::exchange(Arrival arrival) {
    const SnapshotPtr snapshot = snapshots_.current();  // this message's
    const SettingsPtr& settings = snapshot->settings;
    if (running_ >= settings->concurrent_exchanges || !services_.audit.usable())
        co_return Overloaded{};
    ++running_;
    struct Leave {
        std::size_t& running;
        ~Leave() { --running; }
    } const leave{running_};

    Progress progress{*settings};
    progress.started = services_.clock.boot_now();
    progress.lapped = progress.started;
    progress.deadline = arrival.deadline;
    progress.ended.trace = arrival.trace;
    progress.ended.listener = arrival.listener;
    progress.ended.octets_in = arrival.der.size();
    progress.with_digests = services_.audit.is_durable();
    if (progress.with_digests) progress.ended.digests.received = crypto::sha256(arrival.der);
    const std::string peer = arrival.peer.address;
    progress.ended.peer = peer;

    Relay relay{services_, snapshots_, snapshot, progress};
    auto outcome = co_await relay.run(std::move(arrival));
    Reply reply = Overloaded{};
    if (outcome) {
        reply = std::move(*outcome);
    } else {
        describe(outcome.error(), progress.ended);
        const bool may_sign = progress.authentic || spend_signature();
        reply = co_await build_error_reply(progress, outcome.error(), may_sign, services_);
        // An announcement has no answer, a refused one neither (RFC 9811 3.5).
        if (progress.ended.request && cmp::is_announcement(*progress.ended.request) &&
            !std::holds_alternative<Overloaded>(reply))
            reply = NotCmp{};
    }
    if (progress.held) {
        const BootTime now = services_.clock.boot_now();
        progress.lap(Stage::answer, now);
        co_await settle(services_.store, progress, reply, now);
        progress.lap(Stage::store, services_.clock.boot_now());
    }

    progress.ended.transaction_id = progress.transaction_id;
    progress.ended.sender = progress.sender;
    progress.ended.octets_out = octets_of(reply);
    const BootTime now = services_.clock.boot_now();
    progress.lap(Stage::answer, now);
    progress.ended.total = now - progress.started;
    if (const auto* answer = std::get_if<Answer>(&reply); answer && progress.with_digests)
        progress.ended.digests.sent = crypto::sha256(answer->der);
    if (!progress.with_digests) {
        services_.audit.record(progress.ended);
        co_return reply;
    }
    const bool written = co_await services_.audit.write_down(progress.ended);
    // What has happened is kept: a repetition gets it once that can be written down again.
    if (!written) co_return Overloaded{};
    co_return reply;
}

void Gateway::use(SnapshotPtr snapshot, BootTime until) {
    snapshots_.use(std::move(snapshot), services_.clock.boot_now(), until);
}

/// A token bucket of one second's worth (S-31).
bool Gateway::spend_signature() {
    const auto now = services_.clock.boot_now().time_since_epoch();
    const double rate = snapshots_.current()->settings->signed_refusals_per_second;
    const double earned =
        std::chrono::duration<double>(now - signed_refusals_.refilled).count() * rate;
    signed_refusals_.tokens = std::min(rate, signed_refusals_.tokens + earned);
    signed_refusals_.refilled = now;
    if (signed_refusals_.tokens < 1) return false;
    signed_refusals_.tokens -= 1;
    return true;
}

}  // namespace ra::gateway
