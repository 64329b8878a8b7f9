#include "ra/gateway/relay.h"

#include <algorithm>

#include "ra/base/secret.h"
#include "ra/cmp/build.h"
#include "ra/crypto/protection.h"
#include "ra/gateway/mac_keys.h"
#include "ra/gateway/secret_gate.h"
#include "ra/gateway/wait.h"

namespace ra::gateway {
namespace {

using cmp::BodyType;
using cmp::PKIFailureInfo;
using policy::Refuse;

/// Bodies that continue a transaction; all others begin one.
bool is_follow_up(BodyType type) noexcept {
    return type == BodyType::certConf || type == BodyType::pollReq;
}

/// S-04: it was sent once, and will not be sent again.
UpstreamFault outcome_unknown() {
    return {"outcome-unknown", PKIFailureInfo::systemFailure, "sent before, answer never came",
            false};
}

}  // namespace

asio::awaitable<Outcome<Reply>> Relay::run(Arrival arrival) {
    cmp::MessageBuffer buffer{std::move(arrival.der)};
    auto parsed = cmp::ParsedMessage::parse(std::move(buffer), settings_.limits);
    if (!parsed) {
        // NOLINTNEXTLINE(bugprone-use-after-move): parse() leaves it whole where it fails.
        progress_.took(cmp::salvage(buffer.view(), settings_.limits));
        co_return Failure{parsed.error()};
    }
    progress_.took(parsed->message());
    if (cmp::is_announcement(parsed->message().type))
        co_return announce(parsed->message(), arrival);
    if (auto header = policy::check_header(parsed->message(), settings_.limits); !header) {
        co_return Failure{std::move(header).error()};
    }
    if ((*parsed)->type == BodyType::nested) {
        auto inner = unwrap(std::move(*parsed), arrival);
        if (!inner) co_return std::move(inner).error();
        *parsed = std::move(*inner);
    }

    std::optional<Versioned> claim;
    if (is_follow_up((*parsed)->type)) claim = co_await find_claim(parsed->message());
    if (claim) pinned_ = snapshots_.of(claim->record.generation);
    lap(Stage::parse);
    auto authentic = co_await authenticate(std::move(*parsed), arrival, claim);
    lap(Stage::origin);
    if (!authentic) co_return std::move(authentic).error();
    progress_.authentic = authentic->origin().verified;
    progress_.ended.verified = authentic->origin().verified;
    progress_.ended.principal = authentic->origin().principal;
    if (mac_) progress_.mac = mac_->mac;
    digest_ = crypto::sha256(authentic->message().protected_content());
    co_return co_await carry_on(std::move(*authentic), arrival);
}

/// Is the secret of this MAC good for what comes? Transactions that began while it was may end.
Outcome<void> Relay::check_secret(bool known_transaction, BodyType type) {
    if (!mac_ || known_transaction) return boost::system::in_place_value;
    if (!mac_->may_begin) {
        // S-21: an expired secret looks like an unknown one.
        mac_.reset();
        progress_.mac.reset();
        progress_.authentic = progress_.ended.verified = false;
        progress_.ended.principal.reset();
        return Failure{Refuse{"mac", PKIFailureInfo::badMessageCheck, "the secret has expired"}};
    }
    if (mac_->spent && !is_follow_up(type)) {
        return Failure{Refuse{"secret-uses", PKIFailureInfo::notAuthorized,
                              "no use of this secret is left (S-23)"}};
    }
    return boost::system::in_place_value;
}

/// From here on the sender is known. A message seen before gets its answer again; a new one passes
/// POP and rules and claims its transaction; a lost race looks once more.
asio::awaitable<Outcome<Reply>> Relay::carry_on(policy::AuthenticMessage message,
                                                const Arrival& arrival) {
    const TransactionKey key{message.origin().principal, progress_.transaction_id};
    const BodyType type = message.message().type;
    std::optional<Versioned> found = co_await services_.store.find(key);
    lap(Stage::store);
    if (auto good = check_secret(found.has_value(), type); !good) co_return std::move(good).error();
    if (found) {
        auto now = co_await settled(key, *found);
        lap(Stage::store);
        if (!now) co_return std::move(now).error();
        if (found->record.request_digest == digest_)
            co_return co_await repeat_or_resume(key, std::move(*found));
        if (!is_follow_up(type)) {
            co_return Failure{Refuse{"transaction-id-in-use", PKIFailureInfo::transactionIdInUse,
                                     "another message of this principal had it"}};
        }
    } else if (is_follow_up(type)) {
        co_return Failure{Refuse{"no-transaction", PKIFailureInfo::badRequest,
                                 "no open transaction with this transactionID"}};
    }

    auto proven = policy::prove(std::move(message), settings_.limits);
    if (!proven) co_return Failure{std::move(proven).error()};
    if (const auto* requests = std::get_if<std::vector<cmp::CertReqMsg>>(&proven->body());
        requests != nullptr && !requests->empty()) {
        progress_.cert_req_id = requests->front().cert_req_id;
    }
    const policy::InventoryFacts known = co_await look_up(*proven);
    policy::Decision decision = policy::decide(*proven, services_.clock.wall_now(), known);
    lap(Stage::decide);
    if (auto* refuse = std::get_if<Refuse>(&decision)) co_return Failure{std::move(*refuse)};
    auto amended = policy::amend(*proven, services_.clock.wall_now());
    if (!amended) co_return Failure{std::move(amended).error()};
    amended_ = std::move(*amended);

    if (found) {
        auto claimed = co_await follow_up(key, *found, proven->message(), arrival);
        if (!claimed) co_return std::move(claimed).error();
    } else {
        auto begun = co_await begin(key, *proven, arrival, found);
        if (!begun) co_return std::move(begun).error();
        if (found) {  // somebody was quicker
            auto now = co_await settled(key, *found);
            if (!now) co_return std::move(now).error();
            if (found->record.request_digest == digest_) co_return repeat(found->record);
            co_return Failure{Refuse{"transaction-id-in-use", PKIFailureInfo::transactionIdInUse,
                                     "lost a race for it"}};
        }
    }
    lap(Stage::store);
    co_return co_await forward(*proven, arrival);
}

/// Waits, bounded, until the transaction is not in flight any more (S-02).
asio::awaitable<Outcome<void>> Relay::settled(const TransactionKey& key, Versioned& found) {
    constexpr int kRounds = 4;  // a follow-up may slip in between; more is a flood
    for (int round = 0; round < kRounds && found.record.state == State::in_flight; ++round) {
        Store::WatchId watch = 0;
        const auto arm = [this, &key, &found, &watch](std::function<void()> notify) {
            watch = services_.store.watch(key, found.version, std::move(notify));
            return watch != 0;
        };
        const auto disarm = [this, &key, &watch] { services_.store.unwatch(key, watch); };
        const bool changed = co_await wait_for(services_.timers, progress_.deadline, arm, disarm);
        if (!changed) break;
        auto again = co_await services_.store.find(key);
        if (!again)
            co_return Failure{UpstreamFault{"not-sent", PKIFailureInfo::systemUnavail,
                                            "the message waited for was not sent", false}};
        found = std::move(*again);
    }
    if (found.record.state == State::in_flight) co_return Failure{Busy{"transaction"}};
    co_return boost::system::in_place_value;
}

Outcome<Reply> Relay::repeat(const Record& record) {
    if (record.answer == nullptr) {
        if (record.state == State::outcome_unknown) {
            return Failure{outcome_unknown()};
        }
        return Failure{Refuse{"transaction-id-in-use", PKIFailureInfo::transactionIdInUse,
                              "its answer is no longer kept (S-05)"}};
    }
    progress_.ended.decision = "repeated";
    return Reply{Answer{*record.answer}};
}

/// What this transaction signs with from now on, whatever is configured meanwhile (S-06).
void Relay::pin_credentials(Record& record) const {
    if (!policy::signs(record.treatment)) return;
    const auto upstream = settings_.upstreams.find(record.upstream);
    if (upstream != settings_.upstreams.end() && upstream->second.credential != nullptr)
        record.credential = upstream->second.credential->certificate->digest();
    if (policy::replaces_protection(record.treatment) && settings_.reply_credential != nullptr)
        record.answer_credential = settings_.reply_credential->certificate->digest();
}

asio::awaitable<Outcome<void>> Relay::begin(const TransactionKey& key,
                                            const policy::ProvenRequest& request,
                                            const Arrival& arrival,
                                            std::optional<Versioned>& raced) {
    const cmp::PKIMessage& message = request.message();
    const policy::Profile& profile = request.profile();
    Record record;
    record.state = State::in_flight;
    record.request_type = message.type;
    record.request_digest = digest_;
    record.profile = profile.name;
    record.generation = settings_.generation;
    record.upstream = profile.upstream;
    record.operation = arrival.advised;
    record.label = arrival.label;
    record.ee_nonce = progress_.sender_nonce;
    record.first_nonce = progress_.sender_nonce;
    record.cert_req_id = progress_.cert_req_id;
    record.implicit_confirm_requested = message.header.implicit_confirm();
    record.verified = request.origin().verified;
    record.signer = request.origin().signer;
    record.payer = request.origin().payer;
    record.treatment = policy::choose_treatment(request);
    pin_credentials(record);
    if (parks(record.upstream)) record.parked_nonce = progress_.sender_nonce;
    record.sent_as_cr = message.type == BodyType::p10cr && amended_.has_value();
    if (record.verified && (cmp::is_cert_request(message.type) || message.type == BodyType::p10cr ||
                            message.type == BodyType::rr)) {
        if (mac_ && message.type != BodyType::rr) record.secret_use = mac_->use;
        record.request = std::make_shared<const Bytes>(
            amended_ ? cmp::build_pki_message(message.header.whole, amended_->body,
                                              *message.protection, message.extra_certs)
                     : to_bytes(message.whole));
    }
    const BootTime now = services_.clock.boot_now();
    record.expires = now + settings_.open_time;
    record.remember_until = now + settings_.replay_horizon;
    if (record.verified && !message.header.message_time) {
        const auto replayable =
            policy::replayable_for(request.origin(), services_.clock.wall_now());
        record.remember_until = std::max(record.remember_until, now + replayable);
    }

    BeginResult result = co_await services_.store.begin(key, record);
    if (auto* exists = std::get_if<Exists>(&result)) {
        raced = std::move(exists->found);
    } else if (const auto* taken = std::get_if<IdInUse>(&result)) {
        co_return Failure{
            Refuse{"transaction-id-in-use", PKIFailureInfo::transactionIdInUse,
                   "principal " + to_hex(taken->holder.digest) + " holds it upstream (S-03)"}};
    } else if (const auto* full = std::get_if<Full>(&result)) {
        if (full->bound.starts_with("secret")) {
            co_return Failure{Refuse{"secret-uses", PKIFailureInfo::notAuthorized,
                                     std::string(full->bound) + " (S-23)"}};
        }
        co_return Failure{
            Refuse{"store-full", PKIFailureInfo::systemUnavail, std::string(full->bound)}};
    } else {
        progress_.held.emplace(Held{key, std::get<Begun>(result).version, std::move(record),
                                    nullptr, OnFailure::release});
    }
    co_return boost::system::in_place_value;
}

Outcome<void> Relay::check_follow_up(const Record& record, const cmp::PKIMessage& message,
                                     const Arrival& arrival) const {
    if (record.state == State::outcome_unknown) return Failure{outcome_unknown()};
    const State wanted =
        message.type == BodyType::certConf ? State::expects_certconf : State::expects_poll;
    if (record.state != wanted) {
        return Failure{Refuse{
            "wrong-state", PKIFailureInfo::badRequest,
            std::string(cmp::to_string(message.type)) + " is not what this transaction expects"}};
    }
    if (record.label != arrival.label || record.operation != arrival.advised) {
        return Failure{Refuse{"label-mismatch", PKIFailureInfo::badRequest,
                              "its transaction began on another path (R-154)"}};
    }
    if (!message.header.recip_nonce ||
        !equal_secret(*message.header.recip_nonce, record.ca_nonce)) {
        return Failure{Refuse{"recip-nonce", PKIFailureInfo::badRecipientNonce,
                              "recipNonce is not the last answer's senderNonce"}};
    }
    return boost::system::in_place_value;
}

asio::awaitable<Outcome<void>> Relay::follow_up(const TransactionKey& key, Versioned& found,
                                                const cmp::PKIMessage& message,
                                                const Arrival& arrival) {
    auto checked = check_follow_up(found.record, message, arrival);
    const bool ended =
        found.record.state == State::finished || found.record.state == State::outcome_unknown;
    // S-01: who sent an opaque message is not known, so what it gets wrong ends nothing.
    if (!checked && (ended || !found.record.verified)) co_return std::move(checked).error();

    Record record = found.record;
    record.state = State::in_flight;
    record.request_digest = digest_;
    record.ee_nonce = progress_.sender_nonce;
    // A certConf may be delayed as well; then its nonce is the one R-103 speaks of.
    if (message.type == BodyType::certConf) record.first_nonce = progress_.sender_nonce;
    const bool polls_us = message.type == BodyType::pollReq && !record.parked_nonce.empty();
    if (!polls_us && parks(record.upstream)) record.parked_nonce = progress_.sender_nonce;
    record.expires = services_.clock.boot_now() + settings_.open_time;
    const AdvanceResult result = co_await services_.store.advance(key, found.version, record);
    const auto* const advanced = std::get_if<Advanced>(&result);
    if (advanced == nullptr) co_return Failure{Busy{"transaction"}};
    // verified under its own principal and wrong, it ends the transaction.
    progress_.held.emplace(Held{key, advanced->version, std::move(record),
                                std::make_unique<Record>(std::move(found.record)),
                                checked ? OnFailure::revert : OnFailure::finish});
    if (!checked) co_return std::move(checked).error();
    co_return boost::system::in_place_value;
}

}  // namespace ra::gateway
