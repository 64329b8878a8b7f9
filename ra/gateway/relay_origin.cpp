#include "ra/crypto/protection.h"
#include "ra/gateway/nested.h"
#include "ra/gateway/relay.h"

/// Who sent a message: the first half of Relay.
namespace ra::gateway {
namespace {

/// The certificate a message says protects it: the first of extraCerts. Empty: none.
ByteView claimed_certificate(const cmp::PKIMessage& message) noexcept {
    asn1::DerReader certificates{message.extra_certs};
    const auto first = certificates.read_any("extraCerts");
    return first ? first->whole : ByteView{};
}

policy::ProfilePtr find_profile(const Settings& settings, std::string_view name) {
    for (const policy::ProfilePtr& profile : settings.profiles) {
        if (profile->name == name) return profile;
    }
    return nullptr;
}

}  // namespace

/// A follow-up names its transaction by transactionID and certificate or reference: only claims
/// here, which choose the profile and the certificate to verify with.
asio::awaitable<std::optional<Versioned>> Relay::find_claim(const cmp::PKIMessage& message) {
    auto claims = co_await services_.store.find_claims(*message.header.transaction_id);
    const ByteView certificate = claimed_certificate(message);
    const bool is_mac = crypto::protection_kind(message) == crypto::ProtectionKind::mac;
    for (Versioned& claim : claims) {
        const crypto::CertificatePtr& signer = claim.record.signer;
        if (is_mac && claim.record.verified && signer != nullptr) continue;
        if (certificate.empty() || signer == nullptr || equal(signer->der(), certificate))
            co_return std::move(claim);
    }
    co_return std::nullopt;
}

/// What an RA nested is judged by itself, once its signature has said that it approves; nested
/// messages that an opaque profile relays stay whole.
Outcome<cmp::ParsedMessage> Relay::unwrap(cmp::ParsedMessage parsed, const Arrival& arrival) {
    const policy::ArrivalFacts at{arrival.listener, arrival.label, arrival.advised};
    if (policy::relays_whole(parsed.message(), at, settings_.profiles)) return parsed;
    auto inner = open_nested(parsed.message(), settings_.limits);
    if (!inner) return std::move(inner).error();
    if (auto header = policy::check_header(inner->message(), settings_.limits); !header)
        return Failure{std::move(header).error()};
    outer_.emplace(std::move(parsed));
    return inner;
}

asio::awaitable<Outcome<policy::AuthenticMessage>> Relay::authenticate(
    cmp::ParsedMessage parsed, const Arrival& arrival, const std::optional<Versioned>& claim) {
    const policy::ProfilePtr pinned =
        claim ? find_profile(*pinned_->settings, claim->record.profile) : nullptr;
    policy::ArrivalFacts at{arrival.listener, arrival.label, arrival.advised,
                            arrival.peer.tls.get()};
    if (outer_ && at.advised == Operation::nested) at.advised = Operation::unspecified;
    auto profiled = policy::select(std::move(parsed), at, settings_.profiles, pinned);
    if (!profiled) co_return Failure{std::move(profiled).error()};
    progress_.ended.profile = profiled->profile().name;
    std::optional<policy::Approval> approval;
    if (outer_) {
        auto verified = verify_approval(outer_->message(), current_trust(profiled->profile()),
                                        services_.clock.wall_now(), services_.chains);
        if (!verified) co_return std::move(verified).error();
        approval.emplace(std::move(*verified));
        progress_.ended.approver = approval->signer();
        progress_.took(profiled->message());  // from here on faults are its own
    }

    const auto plan = policy::plan_origin(*profiled, services_.clock.wall_now());
    if (!plan) co_return Failure{plan.error()};
    policy::OriginFacts facts;
    if (plan->kind == policy::OriginPlan::Kind::signature) {
        facts = gather_signature(*profiled, *plan, claim);
    } else if (plan->kind == policy::OriginPlan::Kind::mac) {
        auto gathered =
            co_await gather_mac(services_, *profiled, *plan, arrival.peer, progress_.deadline);
        if (!gathered) co_return std::move(gathered).error();
        facts = gathered->facts;
        if (gathered->mac != nullptr) mac_ = std::move(*gathered);
    }
    facts.peer = arrival.peer.address;
    auto authentic = policy::conclude_origin(std::move(*profiled), *plan, facts, arrival.listener);
    if (!authentic) co_return Failure{std::move(authentic).error()};
    if (approval) co_return policy::approved(std::move(*authentic), *approval);
    co_return std::move(*authentic);
}

/// Whose approval counts is of now, like all trust: of the profile of the same name, if there is
/// one still.
const policy::Profile& Relay::current_trust(const policy::Profile& profile) const {
    const policy::ProfilePtr same = find_profile(settings_, profile.name);
    return same != nullptr ? *same : profile;
}

policy::OriginFacts Relay::gather_signature(const policy::ProfiledMessage& profiled,
                                            const policy::OriginPlan& plan,
                                            const std::optional<Versioned>& claim) {
    policy::OriginFacts facts;
    const cmp::PKIMessage& message = profiled.message();
    const bool kept = message.extra_certs.empty() && claim && claim->record.signer != nullptr;
    const ByteView leaf = kept ? claim->record.signer->der() : claimed_certificate(message);
    const ByteView others = kept ? ByteView{} : message.extra_certs.subspan(leaf.size());
    const policy::Profile& profile = profiled.profile();
    facts.chain = verify_chain(profile, false, *plan.trust, leaf, others);
    if (plan.ra_trust != nullptr)
        facts.ra_chain = verify_chain(profile, true, *plan.ra_trust, leaf, others);
    const Result<crypto::Chain>& found = facts.chain ? facts.chain : facts.ra_chain;
    if (found) facts.signature = crypto::verify_signature_protection(message, found->leaf->key());
    return facts;
}

/// A transaction keeps its profile over a reload, not its trust (S-06): an anchor that was removed
/// and a certificate that was revoked since do not verify any more. Trust is that of the profile of
/// the same name; where there is none any more, of any profile there is.
Result<crypto::Chain> Relay::verify_chain(const policy::Profile& profile, bool for_ra,
                                          const crypto::TrustStore& trust, ByteView leaf,
                                          ByteView others) {
    if (leaf.empty()) return fail(Errc::missing, "extraCerts");
    if (pinned_->settings.get() == &settings_) return services_.chains.verify(trust, leaf, others);
    const auto trust_of = [for_ra](const policy::Profile& one) {
        return for_ra ? one.ra.trust.get() : one.origin.trust.get();
    };
    const policy::ProfilePtr same = find_profile(settings_, profile.name);
    Result<crypto::Chain> chain = fail(Errc::not_trusted, "chain");
    for (const policy::ProfilePtr& one : settings_.profiles) {
        if ((same != nullptr && one != same) || trust_of(*one) == nullptr) continue;
        chain = services_.chains.verify(*trust_of(*one), leaf, others);
        if (chain) break;
    }
    return chain;
}

}  // namespace ra::gateway
