#include "policy/distinguished_name.h"
#include "policy/inventory.h"
#include "ra/asn1/certificate.h"
#include "ra/gateway/relay.h"

/// The part of a message's life that asks and fills the inventory (S-14, S-33).
namespace ra::gateway {
namespace {

/// CRLReasons that take nothing away for good (RFC 5280 5.3.1): what was put on hold may come back
/// without our hearing of it, so that only the CA's CRL can tell.
bool is_final(std::optional<std::int64_t> reason) noexcept {
    constexpr std::int64_t kCertificateHold = 6, kRemoveFromCrl = 8;
    return reason != kCertificateHold && reason != kRemoveFromCrl;
}

}  // namespace

asio::awaitable<policy::InventoryFacts> Relay::look_up(const policy::ProvenRequest& request) {
    policy::InventoryFacts known;
    if (const crypto::CertificatePtr& signer = request.origin().signer; signer != nullptr) {
        known.signer_revoked =
            services_.inventory.is_revoked(signer->view().issuer, signer->view().serial);
    }
    const policy::InventoryPlan plan = policy::plan_inventory(request);
    if (plan.key) {
        auto entry = co_await services_.inventory.find_key(*plan.key);
        if (entry) known.holder = std::move(entry->holder);
    }
    co_return known;
}

asio::awaitable<Outcome<void>> Relay::take_stock(const MatchedResponse& matched,
                                                 const policy::AuthenticMessage& request) {
    if (matched.revoked) co_await note_revoked(request.origin());
    if (matched.issued.empty()) co_return boost::system::in_place_value;
    co_return co_await hold_key(matched.issued, request);
}

/// Two requests for one key may both have found it free; the second certificate is not delivered.
asio::awaitable<Outcome<void>> Relay::hold_key(ByteView certificate,
                                               const policy::AuthenticMessage& request) {
    constexpr int kRounds = 4;
    const auto issued = asn1::parse_certificate(certificate);
    const auto key = issued ? crypto::key_digest(issued->spki) : issued.error();
    if (!key) co_return boost::system::in_place_value;  // match_response() has judged it
    for (int round = 0; round < kRounds; ++round) {
        const auto entry = co_await services_.inventory.find_key(*key);
        auto next = policy::hold_key(entry ? std::optional{entry->holder} : std::nullopt, request,
                                     *issued, services_.clock.wall_now());
        if (!next) {
            if (request.profile().rules.duplicate_keys) co_return boost::system::in_place_value;
            break;
        }
        const bool written = co_await services_.inventory.put_key(*key, entry ? entry->version : 0,
                                                                  std::move(*next));
        if (written) co_return boost::system::in_place_value;
    }
    co_return Failure{UpstreamFault{"issued-duplicate-key", cmp::PKIFailureInfo::systemFailure,
                                    "meanwhile its key was certified for another principal (S-14)",
                                    true}};
}

asio::awaitable<void> Relay::note_revoked(const policy::Origin& origin) {
    // Others' certificates end we know not when; the inventory is bounded anyway.
    constexpr std::chrono::hours kLong{24 * 365 * 50};
    const auto kept = progress_.held->record.request;
    if (kept == nullptr) co_return;
    const auto request = cmp::parse_pki_message(*kept, settings_.limits);
    if (!request) co_return;
    const auto details = cmp::parse_rev_req(request->content, 0, settings_.limits);
    if (!details) co_return;
    for (const cmp::RevDetails& one : *details) {
        const auto& issuer = one.cert_details.issuer;
        const auto& serial = one.cert_details.serial_number;
        if (!issuer || !serial) continue;
        // The name may be written otherwise than in the certificate; of its own we know how.
        const crypto::Certificate* const own = origin.signer.get();
        const bool is_own = own != nullptr && equal(*serial, own->view().serial) &&
                            policy::same_name(*issuer, own->view().issuer);
        const ByteView name = is_own ? own->view().issuer : *issuer;
        services_.chains.forget(name, *serial);
        if (!is_final(one.reason)) continue;
        const WallTime until = is_own ? own->view().not_after : services_.clock.wall_now() + kLong;
        co_await services_.inventory.add_revoked(name, *serial, until);
    }
}

}  // namespace ra::gateway
