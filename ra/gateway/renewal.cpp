#include "ra/gateway/renewal.h"

#include <algorithm>

#include "policy/extension_values.h"
#include "ra/asn1/der_writer.h"
#include "ra/cmp/build.h"
#include "ra/crypto/digest.h"
#include "ra/gateway/match.h"
#include "ra/gateway/sign.h"
#include "ra/gateway/wait.h"

namespace ra::gateway {
namespace {

using cmp::BodyType;
using cmp::PKIFailureInfo;

constexpr std::size_t kIdOctets = 16;
constexpr std::chrono::seconds kPollAgain{60};  // where the CA names no time
constexpr std::chrono::seconds kLeastWait{1};

UpstreamFault fault(std::string_view rule, std::string detail, bool possibly_issued = false) {
    return {rule, PKIFailureInfo::systemFailure, std::move(detail), possibly_issued};
}

/// What the new certificate may hold: what the old one does.
policy::Profile profile_of(const crypto::Certificate& old) {
    policy::Profile profile;
    profile.name = "renewal";
    for (const ByteView purpose : old.extended_key_usage())
        profile.rules.eku.push_back(to_bytes(purpose));
    return profile;
}

/// The old certificate's extension as the template asks for it again; empty: it has none.
Bytes repeated(const crypto::Certificate& old, const asn1::Oid& id) {
    const auto value = old.view().extension(id.view());
    if (!value) return {};
    asn1::DerWriter writer;
    {
        const auto extension = writer.open(asn1::Tag::sequence);
        writer.oid(id.view());
        writer.octet_string(*value);
    }
    return std::move(writer).take();
}

/// Subject and extensions stay; only key and validity are new.
Result<Bytes> build_kur(const crypto::Certificate& old, const crypto::PrivateKey& new_key) {
    Bytes extensions = repeated(old, policy::oid::kSubjectAltName);
    append(extensions, repeated(old, policy::oid::kExtKeyUsage));
    const Bytes request = cmp::build_cert_request(
        0, cmp::build_cert_template(old.subject(), new_key.spki(), extensions),
        cmp::build_old_cert_id(old.view().issuer, old.view().serial));
    RA_TRY(const Bytes signature, new_key.sign(request));
    return cmp::build_cert_req_body(BodyType::kur, request,
                                    cmp::build_signature_popo(new_key.algorithm(), signature));
}

/// One transaction from kur to pkiConf.
class Renewal {
public:
    Renewal(RenewalRequest request, Upstream& to, const RenewalServices& services,
            const Settings& settings)
        : request_{std::move(request)},
          to_{to},
          services_{services},
          settings_{settings},
          profile_{profile_of(*request_.credential->certificate)},
          transaction_id_{services.random.octets(kIdOctets)} {
        record_.request_type = BodyType::kur;
        record_.verified = true;
    }

    asio::awaitable<Outcome<Renewed>> run();

private:
    asio::awaitable<Outcome<MatchedResponse>> ask(BodyType type, Bytes body);
    asio::awaitable<Outcome<Answered>> submit(BodyType type, ByteView message);
    asio::awaitable<Outcome<MatchedResponse>> wait_and_poll(MatchedResponse waiting);
    asio::awaitable<Outcome<void>> confirm(const crypto::Certificate& certificate,
                                           std::string_view refusal);
    Outcome<crypto::CertificatePtr> issued(const MatchedResponse& answer) const;
    Outcome<crypto::CredentialPtr> credential_of(const crypto::CertificatePtr& certificate,
                                                 const MatchedResponse& answer);
    [[nodiscard]] std::chrono::seconds pause_of(const cmp::PKIMessage& answer) const;

    RenewalRequest request_;
    Upstream& to_;
    const RenewalServices services_;
    const Settings& settings_;
    const policy::Profile profile_;
    const Bytes transaction_id_;
    Record record_;
    Quirks quirks_;
};

asio::awaitable<Outcome<Renewed>> Renewal::run() {
    auto kur = build_kur(*request_.credential->certificate, *request_.new_key);
    if (!kur) co_return fault("renewal-key", std::string(to_string(kur.error().code)));
    auto answer = co_await ask(BodyType::kur, std::move(*kur));
    while (answer && answer->next == State::expects_poll)
        answer = co_await wait_and_poll(std::move(*answer));
    if (!answer) co_return std::move(answer).error();

    auto certificate = issued(*answer);
    if (!certificate) co_return std::move(certificate).error();
    auto made = credential_of(*certificate, *answer);
    std::string kept;
    if (made && request_.keep) {
        const auto keep = [this, &kept, &made] { kept = request_.keep(**made); };
        if (!co_await services_.cpu.run(keep)) kept = "the CPU pool is full";
    }
    // Whoever takes no certificate says so, that it may be revoked.
    const bool taken = made && kept.empty();
    if (answer->next == State::expects_certconf) {
        auto confirmed =
            co_await confirm(**certificate, taken ? std::string_view{} : "not taken by the RA");
        if (taken && !confirmed) co_return std::move(confirmed).error();
    }
    if (!made) co_return std::move(made).error();
    if (!kept.empty()) co_return fault("renewal-keep", std::move(kept), true);
    co_return Renewed{std::move(*made), quirks_};
}

/// certHash ::= the digest of the signature's algorithm (RFC 9810 5.3.18).
asio::awaitable<Outcome<void>> Renewal::confirm(const crypto::Certificate& certificate,
                                                std::string_view refusal) {
    const auto hash = crypto::cert_hash(certificate.der(), std::nullopt);
    if (!hash) co_return Failure{fault("renewal-cert-hash", "no digest for certHash", true)};
    Bytes status;
    if (!refusal.empty())
        status = cmp::build_status_info(cmp::PKIStatus::rejection, PKIFailureInfo::systemFailure,
                                        refusal);
    auto confirmed = co_await ask(BodyType::certConf,
                                  cmp::build_cert_conf_body(*hash, record_.cert_req_id, status));
    while (confirmed && confirmed->next == State::expects_poll)
        confirmed = co_await wait_and_poll(std::move(*confirmed));
    if (!confirmed) co_return std::move(confirmed).error();
    if (confirmed->parsed->type != BodyType::pkiconf)
        co_return Failure{fault("renewal-refused", "the CA does not take the confirmation", true)};
    co_return boost::system::in_place_value;
}

asio::awaitable<Outcome<MatchedResponse>> Renewal::ask(BodyType type, Bytes body) {
    record_.ee_nonce = ShortBytes{services_.random.octets(kIdOctets)};
    // What is delayed is polled for; its answer may have either nonce.
    if (type != BodyType::pollReq) record_.first_nonce = record_.ee_nonce;
    crypto::Unprotected out;
    const Bytes recipient = cmp::general_name(request_.credential->certificate->view().issuer);
    out.header.recipient = recipient;
    out.header.message_time = services_.clock.wall_now();
    out.header.transaction_id = transaction_id_;
    out.header.sender_nonce = record_.ee_nonce;
    out.header.recip_nonce = record_.ca_nonce;
    out.body[0] = body;
    auto message = co_await sign(services_.cpu, *request_.credential, out);
    if (!message) co_return std::move(message).error();
    if (type == BodyType::kur) record_.request = std::make_shared<const Bytes>(*message);
    auto answered = co_await submit(type, *message);
    if (!answered) co_return std::move(answered).error();

    record_.url = answered->url;
    const Asked asked{type,
                      record_,
                      transaction_id_,
                      record_.ee_nonce,
                      profile_,
                      request_.upstream,
                      request_.credential->certificate->subject()};
    auto matched = match_response(std::move(answered->der), asked, settings_, services_.chains);
    if (!matched) co_return std::move(matched).error();
    quirks_.add(matched->quirks);
    record_.ca_nonce = ShortBytes{*matched->parsed->header.sender_nonce};
    if (matched->responder != nullptr) record_.responder = matched->responder;
    if (matched->next == State::expects_certconf) record_.request.reset();
    co_return std::move(*matched);
}

asio::awaitable<Outcome<Answered>> Renewal::submit(BodyType type, ByteView message) {
    UpstreamMessage out;
    out.der = message;
    if (type != BodyType::kur) out.url = record_.url;
    out.type = type;
    out.operation = Operation::kur;
    out.label = request_.label;
    out.deadline = std::min(request_.deadline, services_.clock.boot_now() + request_.answer_time);
    services_.random.fill(out.trace.octets);
    SubmitResult result = co_await to_.submit(std::move(out));
    if (auto* answered = std::get_if<Answered>(&result)) co_return std::move(*answered);
    if (auto* rejected = std::get_if<RejectedByTransport>(&result)) {
        if (!rejected->der.empty()) co_return Answered{std::move(rejected->der), record_.url};
        const bool doubtful = type == BodyType::kur && rejected->status >= 500;
        co_return Failure{
            fault("upstream-status", "status " + std::to_string(rejected->status), doubtful)};
    }
    if (const auto* not_sent = std::get_if<NotSent>(&result))
        co_return Failure{fault("not-sent", std::string(not_sent->why))};
    // A spool would keep it for later (`check` refuses that): nobody would come for the answer.
    const auto* unknown = std::get_if<Unknown>(&result);
    co_return Failure{fault(
        "no-answer", unknown != nullptr ? std::string(unknown->why) : "the answer comes later",
        type == BodyType::kur)};
}

std::chrono::seconds Renewal::pause_of(const cmp::PKIMessage& answer) const {
    // Other answers that say waiting name no time: ask at once when there will be one.
    if (answer.type != BodyType::pollRep) return kLeastWait;
    const auto polls = cmp::parse_poll_rep(answer.content, 0, settings_.limits);
    if (!polls || polls->empty()) return kPollAgain;
    return std::max(kLeastWait, std::chrono::seconds{polls->front().check_after});
}

asio::awaitable<Outcome<MatchedResponse>> Renewal::wait_and_poll(MatchedResponse waiting) {
    const cmp::PKIMessage& answer = waiting.parsed.message();
    // An `error` with waiting is about the whole message.
    const std::int64_t id = answer.type == BodyType::error ? -1 : record_.cert_req_id;
    const BootTime until = services_.clock.boot_now() + pause_of(answer);
    if (until >= request_.deadline)
        co_return Failure{fault("renewal-waiting", "the CA still says waiting", true)};
    const auto arm = [this](std::function<void()> stop) {
        return !request_.until_stopped || request_.until_stopped(std::move(stop));
    };
    const bool stopped = co_await wait_for(services_.timers, until, arm, [] {});
    if (stopped) co_return Failure{fault("renewal-stopped", "the gateway is ending", true)};
    co_return co_await ask(BodyType::pollReq, cmp::build_poll_req_body(id));
}

Outcome<crypto::CertificatePtr> Renewal::issued(const MatchedResponse& matched) const {
    const cmp::PKIMessage& answer = matched.parsed.message();
    if (answer.type == BodyType::error) {
        const auto error = cmp::parse_error(answer.content, 0, settings_.limits);
        std::string why = "the CA answers error";
        if (error) {
            for (const std::string_view text : error->status.status_string)
                why += ": " + std::string(text);
        }
        return fault("renewal-refused", std::move(why));
    }
    const auto rep = cmp::parse_cert_rep(answer.content, 0, settings_.limits);
    if (!rep || rep->responses.empty()) return fault("answer-body", "no CertResponse");
    const cmp::CertResponse& response = rep->responses.front();
    if (!response.has_certified_key_pair) {
        std::string why = "the CA answers " + std::string(cmp::to_string(response.status.status));
        for (const std::string_view text : response.status.status_string)
            why += ": " + std::string(text);
        return fault("renewal-refused", std::move(why));
    }
    auto certificate = crypto::Certificate::parse(response.certificate);
    if (!certificate) {
        return fault("answer-certificate",
                     std::string(to_string(certificate.error().code)) + " in " +
                         std::string(certificate.error().field),
                     true);
    }
    return std::move(*certificate);
}

/// The new certificate on its path to `trust`, with the CA's extraCerts and the chain of the old
/// one to help.
Outcome<crypto::CredentialPtr> Renewal::credential_of(const crypto::CertificatePtr& certificate,
                                                      const MatchedResponse& answer) {
    const crypto::Certificate& old = *request_.credential->certificate;
    if (certificate->view().not_after <= old.view().not_after)
        return fault("renewal-certificate", "it does not last longer than the one before", true);
    Bytes others = to_bytes(answer.parsed.message().extra_certs);
    append(others, request_.credential->extra_certs());
    if (request_.trust == nullptr) return fault("renewal-trust", "there is none", true);
    auto chain = services_.chains.verify(*request_.trust, certificate->der(), others);
    if (!chain) {
        return fault(
            "renewal-trust",
            std::string(to_string(chain.error().code)) + " in " + std::string(chain.error().field),
            true);
    }
    if (!certificate->may_sign())
        return fault("renewal-certificate", "digitalSignature is not set", true);
    // The anchor is the peer's to know.
    if (chain->path.size() > 1) chain->path.pop_back();
    try {
        return crypto::Credential::of(request_.credential->name, request_.new_key,
                                      std::move(chain->path));
    } catch (const std::exception& wrong) {
        return fault("renewal-certificate", wrong.what(), true);
    }
}

}  // namespace

asio::awaitable<Outcome<Renewed>> renew(RenewalRequest request, Upstream& to,
                                        RenewalServices services, const Settings& settings) {
    Renewal renewal{std::move(request), to, services, settings};
    co_return co_await renewal.run();
}

}  // namespace ra::gateway
