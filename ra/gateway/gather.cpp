#include "ra/gateway/gather.h"

#include "ra/crypto/protection.h"
#include "ra/gateway/kdf_lane.h"
#include "ra/gateway/secret_gate.h"

namespace ra::gateway {
namespace {

/// Beside a worker's other messages (design: Concurrency).
constexpr std::chrono::microseconds kInline{200};

/// nullopt: too many wait.
asio::awaitable<std::optional<Result<crypto::MacKey>>> derive(
    const Services& services, const crypto::MacParameters& parameters, ByteView secret,
    std::string_view source, Deadline deadline) {
    if (crypto::derive_cost(parameters) < kInline || services.kdf == nullptr)
        co_return crypto::MacKey::derive(parameters, secret);
    std::optional<Result<crypto::MacKey>> derived;
    const bool ran = co_await services.kdf->run(
        source_prefix(source), deadline, [&derived, &parameters, secret] {
            derived.emplace(crypto::MacKey::derive(parameters, secret));
        });
    if (!ran) co_return std::nullopt;
    co_return std::move(derived);
}

}  // namespace

asio::awaitable<Outcome<MacFacts>> gather_mac(const Services& services,
                                              const policy::ProfiledMessage& profiled,
                                              const policy::OriginPlan& plan, const PeerFacts& peer,
                                              Deadline deadline) {
    MacFacts gathered;
    if (services.secrets == nullptr) {
        gathered.facts.mac_detail = "no secrets are kept here";
        co_return gathered;
    }
    const cmp::PKIMessage& message = profiled.message();
    const ByteView algorithm = message.header.protection_alg->whole;
    FoundSecret found =
        co_await services.secrets->find(plan.reference, profiled.profile().name, peer.address);
    VerifiedMacPtr mac;
    if (found.usable) {
        mac = services.secrets->keys().find(found.use, *message.header.transaction_id, algorithm);
    }
    Result<void> verified = fail(Errc::bad_signature, "protection");
    if (mac != nullptr) {
        verified = crypto::verify_mac_protection(message, mac->key);
    } else {
        auto key =
            co_await derive(services, plan.mac, found.octets.reveal(), peer.address, deadline);
        if (!key) co_return Failure{Busy{"key derivation"}};
        verified = *key ? crypto::verify_mac_protection(message, **key) : (*key).error();
        if (verified && found.usable) {
            mac = std::make_shared<const VerifiedMac>(VerifiedMac{plan.mac, to_bytes(algorithm),
                                                                  std::move(**key), plan.reference,
                                                                  std::move(found.octets)});
        }
    }
    const bool good = verified && found.usable;
    co_await services.secrets->tried(plan.reference, peer.address, found, good);
    if (!good) {
        gathered.facts.mac = fail(Errc::bad_signature, "protection");
        gathered.facts.mac_detail = found.why;
        co_return gathered;
    }
    gathered.facts.mac = {};
    gathered.facts.secret_generation = found.use.generation;
    gathered.mac = std::move(mac);
    gathered.use = found.use;
    gathered.may_begin = found.may_begin;
    gathered.spent = found.spent;
    co_return gathered;
}

asio::awaitable<AnswerKey> derive_answer_key(const Services& services, ByteView answer,
                                             VerifiedMacPtr mac, const crypto::MacLimits& limits,
                                             const cmp::Limits& message_limits,
                                             const PeerFacts& peer, Deadline deadline) {
    auto parsed = cmp::ParsedMessage::parse(cmp::MessageBuffer{to_bytes(answer)}, message_limits);
    if (!parsed || crypto::protection_kind(parsed->message()) != crypto::ProtectionKind::mac)
        co_return nullptr;
    const cmp::AlgorithmIdentifier& algorithm = *(*parsed)->header.protection_alg;
    if (equal(algorithm.whole, mac->algorithm)) co_return AnswerKey{mac, &mac->key};
    const auto parameters = crypto::parse_mac_parameters(algorithm, limits);
    if (!parameters) co_return nullptr;
    auto key = co_await derive(services, *parameters, mac->secret.reveal(), peer.address, deadline);
    if (!key || !*key) co_return nullptr;
    co_return std::make_shared<const crypto::MacKey>(std::move(**key));
}

}  // namespace ra::gateway
