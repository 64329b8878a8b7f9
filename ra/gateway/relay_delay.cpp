#include <algorithm>
#include <array>

#include "ra/cmp/build.h"
#include "ra/gateway/delay.h"
#include "ra/gateway/relay.h"

/// Upstreams that answer later (a spool, an air-gapped CA): the device is told to wait and polls
/// (RFC 9483 4.4, 5.1.5; R-100..R-108). Nothing runs meanwhile: the transaction is a record, the
/// message lies at the upstream under its ticket, and a poll looks whether the answer is there.
namespace ra::gateway {

using cmp::BodyType;
using cmp::PKIFailureInfo;

std::string ticket_of(ByteView transaction_id, ByteView parked_nonce) {
    constexpr std::size_t kOfNonce = 8;
    if (parked_nonce.empty()) return {};
    const crypto::Sha256 digest = crypto::sha256(parked_nonce);
    return to_hex(transaction_id) + '-' + to_hex(ByteView{digest}.first(kOfNonce));
}

bool is_stray(std::string_view rule) noexcept {
    static constexpr std::array<std::string_view, 4> kStray{"answer-parse", "answer-transaction-id",
                                                            "answer-recip-nonce", "answer-pvno"};
    return rule.starts_with("responder-") ||
           std::find(kStray.begin(), kStray.end(), rule) != kStray.end();
}

bool Relay::parks(const std::string& upstream) const noexcept {
    const UpstreamSettings* const settings = upstream_settings(upstream);
    return settings != nullptr && settings->check_after.has_value();
}

/// S-47: before anything is sent.
Outcome<void> Relay::check_delay(const policy::Profile& profile) const {
    const Record& record = progress_.held->record;
    if (!policy::replaces_protection(record.treatment) && !profile.ee_trusts_ra) {
        return Failure{UpstreamFault{"delay", PKIFailureInfo::systemUnavail,
                                     "the answer comes later, and ee_trusts_ra is not said (S-47)",
                                     false}};
    }
    if (progress_.mac == nullptr && reply_credential(progress_) == nullptr) {
        return Failure{UpstreamFault{"delay", PKIFailureInfo::systemUnavail,
                                     "nothing to protect the waiting with", false}};
    }
    return boost::system::in_place_value;
}

Upstream* Relay::way_of(const Record& record) const noexcept {
    const auto way = pinned_->upstreams.find(record.upstream);
    return way != pinned_->upstreams.end() ? way->second.get() : nullptr;
}

asio::awaitable<Outcome<Reply>> Relay::poll_parked(const policy::ProvenRequest& request,
                                                   const Arrival& arrival,
                                                   const UpstreamSettings& upstream) {
    Held& held = *progress_.held;
    Upstream* const way = way_of(held.record);
    if (way == nullptr) {
        co_return Failure{UpstreamFault{"no-upstream", PKIFailureInfo::systemFailure,
                                        held.record.upstream, false}};
    }
    const std::string ticket = ticket_of(progress_.transaction_id, held.record.parked_nonce);
    SubmitResult result = co_await way->collect(ticket);
    lap(Stage::upstream);
    if (auto* answered = std::get_if<Answered>(&result)) {
        own_delay_ = true;
        auto reply = co_await deliver(request, arrival, upstream, std::move(*answered));
        std::string_view rule;
        if (!reply) {
            const Failure failure = reply.error();
            if (const auto* fault = std::get_if<UpstreamFault>(&failure)) rule = fault->rule;
        }
        if (reply || !rule.empty()) co_await way->settle(ticket, rule);
        if (!is_stray(rule)) co_return reply;
        // Somebody brought the wrong file: that says nothing of the request (S-01).
        progress_.ended.detail = "a file that is no answer was refused: " + std::string(rule);
        held.on_failure = OnFailure::revert;
    }
    co_return co_await say_not_yet(request.message(), upstream);
}

///
asio::awaitable<Outcome<Reply>> Relay::say_not_yet(const cmp::PKIMessage& poll,
                                                   const UpstreamSettings& upstream) {
    const auto ids = cmp::parse_poll_req(poll.content, 0, settings_.limits);
    const std::int64_t id = ids && !ids->empty() ? ids->front() : -1;
    const auto check_after = upstream.check_after.value_or(std::chrono::seconds{60});
    co_return co_await tell_to_wait(cmp::build_poll_rep_body(id, check_after.count()), "waiting");
}

/// the first word of the delay.
asio::awaitable<Outcome<Reply>> Relay::say_waiting() {
    const Record& record = progress_.held->record;
    const BodyType asked = progress_.ended.request.value_or(BodyType::error);
    const Bytes status = cmp::build_status_info(cmp::PKIStatus::waiting, std::nullopt,
                                                settings_.hop + ": waiting for the CA");
    const auto response = specific_response(asked);
    const bool in_response = cmp::is_cert_request(asked) || asked == BodyType::p10cr;
    co_return co_await tell_to_wait(
        in_response && response ? cmp::build_cert_rep_body(*response, record.cert_req_id, status)
                                : cmp::build_error_body(status),
        "forwarded");
}

/// A word of our own that ends nothing; it is kept like any answer.
asio::awaitable<Outcome<Reply>> Relay::tell_to_wait(Bytes body, std::string_view decision) {
    const Bytes nonce = services_.random.octets(16);
    const crypto::CredentialPtr credential = reply_credential(progress_);
    OwnAnswer made = co_await build_own_answer(progress_, body, nonce, credential.get(), services_);
    Held& held = *progress_.held;
    if (made.der.empty()) {
        // The message is where it is: a repetition is told again.
        if (held.before) {
            held.on_failure = OnFailure::revert;
        } else {
            held.on_failure = OnFailure::unknown;
        }
        if (made.overloaded) co_return Failure{Busy{"signatures"}};
        co_return Failure{UpstreamFault{"delay", PKIFailureInfo::systemUnavail,
                                        "nothing to protect the waiting with", false}};
    }
    Record& record = held.record;
    record.state = State::expects_poll;
    record.ca_nonce = ShortBytes{nonce};
    if (credential != nullptr && record.answer_credential == crypto::Sha256{})
        record.answer_credential = credential->certificate->digest();
    const BootTime now = services_.clock.boot_now();
    record.expires = now + settings_.poll_time;
    record.remember_until = std::max(record.remember_until, now + settings_.replay_horizon);
    // It counts as given until the CA says no (S-23).
    if (record.secret_use) record.secret_use->fate = SecretUse::Fate::committed;
    keep_key(record);
    auto answer = std::make_shared<const Bytes>(std::move(made.der));
    record.answer = answer;
    lap(Stage::answer);
    const AdvanceResult result =
        co_await services_.store.advance(held.key, held.version, std::move(record));
    progress_.held.reset();
    lap(Stage::store);
    if (std::holds_alternative<Conflict>(result))
        progress_.ended.detail = "transaction expired before its answer came";
    progress_.ended.decision = decision;
    co_return Reply{Answer{*answer}};
}

/// A message seen before. Where a crash came between handing it over and writing that down, the
/// upstream may still have it: then nothing is unknown.
asio::awaitable<Outcome<Reply>> Relay::repeat_or_resume(const TransactionKey& key,
                                                        Versioned found) {
    if (found.record.state != State::outcome_unknown || found.record.parked_nonce.empty())
        co_return repeat(found.record);
    Upstream* const way = way_of(found.record);
    if (way == nullptr) co_return repeat(found.record);
    const SubmitResult there =
        co_await way->collect(ticket_of(progress_.transaction_id, found.record.parked_nonce));
    if (std::holds_alternative<Unknown>(there)) co_return repeat(found.record);
    progress_.held.emplace(Held{key, found.version, found.record,
                                std::make_unique<Record>(found.record), OnFailure::revert});
    co_return co_await say_waiting();
}

}  // namespace ra::gateway
