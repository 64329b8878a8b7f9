#include <algorithm>

#include "ra/gateway/answer.h"
#include "ra/gateway/delay.h"
#include "ra/gateway/mac_keys.h"
#include "ra/gateway/relay.h"
#include "ra/gateway/secret_gate.h"

/// The way up and back: treated, sent, its answer matched and given to the device.
namespace ra::gateway {

using cmp::BodyType;
using cmp::PKIFailureInfo;

asio::awaitable<Outcome<Reply>> Relay::forward(const policy::ProvenRequest& request,
                                               const Arrival& arrival) {
    const cmp::PKIMessage& message = request.message();
    const UpstreamSettings* const upstream = upstream_settings(progress_.held->record.upstream);
    if (upstream == nullptr) {
        co_return Failure{UpstreamFault{"no-upstream", PKIFailureInfo::systemFailure,
                                        progress_.held->record.upstream, false}};
    }
    progress_.ended.upstream = upstream->name;

    if (message.type == BodyType::pollReq && !progress_.held->record.parked_nonce.empty())
        co_return co_await poll_parked(request, arrival, *upstream);
    auto answered = co_await send(request, *upstream);
    if (!answered) co_return std::move(answered).error();
    if (!*answered && message.type == BodyType::pollReq)
        co_return co_await say_not_yet(message, *upstream);  // the CA delays, too
    if (!*answered) co_return co_await say_waiting();
    co_return co_await deliver(request, arrival, *upstream, std::move(**answered));
}

asio::awaitable<Outcome<std::optional<Answered>>> Relay::send(const policy::ProvenRequest& request,
                                                              const UpstreamSettings& upstream) {
    if (upstream.check_after) {
        if (auto may = check_delay(request.profile()); !may) co_return std::move(may).error();
    }
    auto treated = co_await treat_for(request, upstream);
    if (!treated) co_return std::move(treated).error();
    co_return co_await submit(request.message().type, treated->der());
}

/// The CA's answer, if it is one, to the device.
asio::awaitable<Outcome<Reply>> Relay::deliver(const policy::ProvenRequest& request,
                                               const Arrival& arrival,
                                               const UpstreamSettings& upstream,
                                               Answered answered) {
    // The answer is there: whatever is wrong with it, the request was sent.
    progress_.held->on_failure = OnFailure::finish;
    if (progress_.with_digests) progress_.ended.digests.answered = crypto::sha256(answered.der);
    progress_.held->record.url = answered.url;
    Asked asked{request.message().type,  progress_.held->record, progress_.transaction_id,
                progress_.sender_nonce,  request.profile(),      upstream,
                request.origin().subject};
    AnswerKey answer_key;
    if (progress_.mac != nullptr &&
        !policy::replaces_protection(progress_.held->record.treatment)) {
        asked.under_secret = true;
        answer_key = co_await derive_answer_key(services_, answered.der, progress_.mac,
                                                request.profile().origin.mac_limits,
                                                settings_.limits, arrival.peer, progress_.deadline);
        asked.answer_key = answer_key.get();
    }
    auto matched = match_response(std::move(answered.der), asked, settings_, services_.chains);
    if (!matched) co_return std::move(matched).error();
    progress_.ended.answer = matched->parsed->type;
    progress_.ended.quirks = matched->quirks;
    if (progress_.held->record.verified) {
        auto stock = co_await take_stock(*matched, request.authentic());
        if (!stock) co_return std::move(stock).error();
    }
    progress_.held->record.parked_nonce = {};
    co_return co_await conclude(std::move(*matched));
}

/// Who may answer for a CA is of now, like all trust; an upstream that is gone keeps what it had
/// for the transactions it began.
const UpstreamSettings* Relay::upstream_settings(const std::string& name) const noexcept {
    for (const Settings* settings : {&settings_, pinned_->settings.get()}) {
        const auto found = settings->upstreams.find(name);
        if (found != settings->upstreams.end()) return &found->second;
    }
    return nullptr;
}

asio::awaitable<Outcome<std::optional<Answered>>> Relay::submit(BodyType type, ByteView der) {
    Held& held = *progress_.held;
    Upstream* const upstream = way_of(held.record);
    if (upstream == nullptr) {
        co_return Failure{UpstreamFault{"no-upstream", PKIFailureInfo::systemFailure,
                                        held.record.upstream, false}};
    }
    UpstreamMessage out;
    out.der = der;
    if (held.before) out.url = held.record.url;
    out.type = type;
    out.operation = held.record.operation;
    out.label = held.record.label;
    out.deadline = progress_.deadline;
    out.trace = progress_.ended.trace;
    const std::string ticket = ticket_of(progress_.transaction_id, held.record.parked_nonce);
    out.ticket = ticket;

    if (progress_.with_digests) progress_.ended.digests.forwarded = crypto::sha256(out.der);
    const BootTime sent_at = services_.clock.boot_now();
    SubmitResult result = co_await upstream->submit(std::move(out));
    lap(Stage::upstream);
    progress_.ended.upstream_wait = progress_.lapped - sent_at;

    if (auto* answered = std::get_if<Answered>(&result)) co_return std::move(*answered);
    if (std::holds_alternative<Pending>(result)) co_return std::nullopt;
    if (auto* rejected = std::get_if<RejectedByTransport>(&result)) {
        // A PKIMessage may come with any status (RFC 9811 3.1); it is judged like any other.
        if (!rejected->der.empty()) co_return Answered{std::move(rejected->der), held.record.url};
        const bool refused = rejected->status >= 400 && rejected->status < 500;
        if (!refused && cmp::is_state_changing(type)) held.on_failure = OnFailure::unknown;
        const bool busy = rejected->status == 503;
        std::string detail = "status " + std::to_string(rejected->status);
        if (rejected->status / 100 == 2) detail += " without CMP content";
        co_return Failure{UpstreamFault{
            "upstream-status", busy ? PKIFailureInfo::systemUnavail : PKIFailureInfo::systemFailure,
            std::move(detail), held.on_failure == OnFailure::unknown}};
    }
    if (const auto* not_sent = std::get_if<NotSent>(&result)) {
        co_return Failure{UpstreamFault{"not-sent", PKIFailureInfo::systemUnavail,
                                        not_sent->detail.empty()
                                            ? std::string(not_sent->why)
                                            : std::string(not_sent->why) + ": " + not_sent->detail,
                                        false}};
    }
    // Unknown: what changes nothing may be sent again, the rest never (S-04).
    const bool doubtful = cmp::is_state_changing(type);
    if (doubtful) held.on_failure = OnFailure::unknown;
    co_return Failure{UpstreamFault{
        "no-answer", doubtful ? PKIFailureInfo::systemFailure : PKIFailureInfo::systemUnavail,
        std::string(std::get<Unknown>(result).why), doubtful}};
}

asio::awaitable<Outcome<Treated>> Relay::treat_for(const policy::ProvenRequest& request,
                                                   const UpstreamSettings& upstream) {
    const Record& record = progress_.held->record;
    progress_.ended.treatment = to_string(record.treatment);
    const crypto::CredentialPtr credential =
        pinned_credential(upstream.credential, record.credential);
    const ToTreat wanted{request.message(), outer_ ? &outer_->message() : nullptr,
                         amended_ ? &*amended_ : nullptr, record,
                         request.profile().orig_pki_message};
    co_return co_await treat(wanted, credential.get(), services_.clock.wall_now(), services_.cpu);
}

/// Of the configuration the transaction began under, or of the current one; null: neither has it.
crypto::CredentialPtr Relay::pinned_credential(const crypto::CredentialPtr& current,
                                               const crypto::Sha256& digest) const {
    auto found = find_credential(settings_, current, digest);
    return found != nullptr ? found : find_credential(*pinned_->settings, nullptr, digest);
}

/// The octets for the device: the CA's, unless it could not verify them.
asio::awaitable<Outcome<Bytes>> Relay::answer_with(MatchedResponse& matched) {
    const Record& record = progress_.held->record;
    if (!policy::replaces_protection(record.treatment))
        co_return std::move(matched.parsed).release();
    AnswerProtection protection;
    protection.mac = progress_.mac;
    if (own_delay_) protection.recip_nonce = progress_.sender_nonce;
    protection.credential = pinned_credential(settings_.reply_credential, record.answer_credential);
    auto made = co_await protect_answer(matched.parsed.message(), record, progress_.sender,
                                        protection, services_.clock.wall_now(), services_.cpu);
    if (made) co_return std::move(*made);
    // The CA has answered; only the device will not hear it.
    Failure failure = std::move(made).error();
    if (auto* fault = std::get_if<UpstreamFault>(&failure))
        fault->possibly_issued = cmp::is_cert_response(matched.parsed->type);
    co_return failure;
}

asio::awaitable<Outcome<Reply>> Relay::conclude(MatchedResponse matched) {
    const ShortBytes ca_nonce{*matched.parsed->header.sender_nonce};
    auto octets = co_await answer_with(matched);
    if (!octets) co_return std::move(octets).error();
    Held& held = *progress_.held;
    Record& record = held.record;
    record.state = matched.next;
    record.ca_nonce = ca_nonce;
    if (matched.responder != nullptr) record.responder = matched.responder;
    const BootTime now = services_.clock.boot_now();
    record.expires =
        now + (matched.next == State::expects_poll ? settings_.poll_time : settings_.open_time);
    record.remember_until = std::max(record.remember_until, now + settings_.replay_horizon);
    if (matched.doubtful) {
        // Whoever wrote it, it was not the CA that says so: it may have issued (S-04).
        record.in_doubt = "unprotected-refusal";
        progress_.ended.possibly_issued = true;
    } else if (matched.next != State::expects_poll) {
        record.request.reset();
    }
    if (record.secret_use) {
        record.secret_use->fate =
            matched.refused ? SecretUse::Fate::returned : SecretUse::Fate::committed;
    }
    keep_key(record);
    auto answer = std::make_shared<const Bytes>(std::move(*octets));
    record.answer = answer;
    lap(Stage::answer);
    const AdvanceResult result =
        co_await services_.store.advance(held.key, held.version, std::move(record));
    progress_.held.reset();
    lap(Stage::store);
    if (std::holds_alternative<Conflict>(result)) {
        // Expired under us: the device still gets its answer; nothing will follow.
        progress_.ended.detail = "transaction expired before its answer came";
    }
    progress_.ended.decision = "forwarded";
    co_return Reply{Answer{*answer}};
}

/// The derived key, for the next message of this transaction.
void Relay::keep_key(const Record& record) {
    if (!mac_) return;
    const bool goes_on =
        record.state == State::expects_certconf || record.state == State::expects_poll;
    MacKeys& keys = services_.secrets->keys();
    if (goes_on) {
        keys.keep(mac_->use, progress_.transaction_id, mac_->mac,
                  services_.clock.boot_now() + settings_.open_time);
    } else {
        keys.drop(mac_->use, progress_.transaction_id);
    }
}

}  // namespace ra::gateway
