#include "ra/app/doctor_upstream.h"

#include <future>

#include "ra/app/config/tls.h"
#include "ra/app/couriers.h"
#include "ra/asn1/name.h"
#include "ra/base/random.h"
#include "ra/cmp/build.h"
#include "ra/cmp/oids.h"
#include "ra/crypto/protection.h"
#include "ra/gateway/responder.h"
#include "transports/common/workers.h"

namespace ra::app {

using Kind = Finding::Kind;

namespace {

constexpr std::chrono::seconds kPatience{10};

/// Signed where there is something to sign with: some CAs answer nobody else.
Bytes build_request(const crypto::Credential* credential, ByteView transaction_id, Random& random,
                    WallTime now) {
    cmp::HeaderFields fields;
    const Bytes sender = credential != nullptr ? credential->sender() : Bytes{};
    const Bytes nonce = random.octets(16);
    fields.sender = sender;
    fields.message_time = now;
    fields.transaction_id = transaction_id;
    fields.sender_nonce = nonce;
    const Bytes body = cmp::build_genm_body(cmp::oid::kCaCerts.view());
    if (credential != nullptr) {
        fields.protection_alg = credential->key->algorithm();
        fields.sender_kid = credential->sender_kid();
        auto made = crypto::protect(*credential, cmp::build_header(fields), body);
        if (made) return std::move(*made);
        fields.protection_alg = {};
        fields.sender_kid = {};
    }
    return cmp::build_pki_message(cmp::build_header(fields), body, {}, {});
}

const crypto::Credential* credential_of(const config::UpstreamConfig& upstream,
                                        const gateway::Settings& settings) {
    for (const crypto::CredentialPtr& one : settings.credentials) {
        if (one->name == upstream.credential.value) return one.get();
    }
    return settings.reply_credential.get();
}

Sent deliver(const config::UpstreamConfig& upstream, const config::Url& url, ByteView request,
             const cmp::Limits& limits, const std::string& directory) {
    const auto tls = upstream.tls ? config::load_upstream_tls(upstream, directory) : nullptr;
    transports::common::Workers workers{1, {}};
    transports::http1::HttpClientCounters counters;
    const SystemClock clock;
    const auto courier = make_courier(workers[0], clock, upstream, url, limits, counters, tls);
    std::promise<Sent> promise;
    const auto send = [](Courier& by, ByteView der,
                         std::promise<Sent>& to) -> asio::awaitable<void> {
        Delivery delivery;
        delivery.der = der;
        delivery.deadline = BootClock::now() + kPatience;
        delivery.repeatable = true;
        to.set_value(co_await by.send(delivery));
    };
    workers[0].tasks().spawn("doctor", send(*courier, request, promise));
    workers.start();
    auto future = promise.get_future();
    const bool ended = future.wait_for(2 * kPatience) == std::future_status::ready;
    Sent sent = ended ? future.get() : Sent{Unknown{"deadline"}};
    workers.drain(BootClock::now() + std::chrono::seconds{1});
    workers.stop();
    return sent;
}

Finding bad(std::string found, std::string advice) {
    return {Kind::bad, {}, std::move(found), std::move(advice)};
}

Finding judge_not_sent(std::string_view why, const config::Url& url) {
    if (why == "name") {
        return bad("the name " + url.host + " does not resolve",
                   "is it spelt right? Does this machine's resolver know it (getent hosts " +
                       url.host + ")?");
    }
    if (why == "connect") {
        return bad("nobody takes a connection at " + url.host + " port " + std::to_string(url.port),
                   "is the CA running, on that port? Does a firewall stand between?");
    }
    if (why == "tls") {
        return bad(
            "the TLS handshake failed",
            "does its certificate chain to the trust that is configured, and bear the name " +
                url.host + "?");
    }
    if (why == "deadline") {
        return bad("no connection in " + std::to_string(kPatience.count()) + " s",
                   "a firewall that drops packets? A host that is down?");
    }
    return bad("nothing could be sent: " + std::string(why), "");
}

Finding judge_status(const RejectedByTransport& rejected, const config::Url& url) {
    if (url.is_tcp()) {
        return bad(rejected.status == 204 ? "it answers that there is no answer"
                                          : "it answers with an error frame",
                   "is it a CMP server, and does it know this framing (tcp_framing)? Its log says "
                   "why");
    }
    const std::string found =
        (url.is_coap() ? "it answers what HTTP calls status " : "it answers HTTP status ") +
        std::to_string(rejected.status);
    switch (rejected.status) {
        case 401:
        case 403:
            return bad(found, "the server wants to know who asks before it looks at the message");
        case 404:
        case 405:
            return bad(found, "is the path " + (url.path.empty() ? "/.well-known/cmp" : url.path) +
                                  " right? Many CAs have the name of a profile in it");
        case 415:
            return bad(found, "no CMP server: it does not know application/pkixcmp");
        default:
            break;
    }
    if (rejected.status / 100 == 2)
        return bad(found + ", but its content is no CMP", "is the path right? Is it a CMP server?");
    if (rejected.status / 100 == 3)
        return bad(found, "it points elsewhere; write that URL, redirections are not followed");
    return bad(found, "its log says why");
}

/// ", let pass with sender-mismatch"; empty: nothing was.
std::string quirks_text(const gateway::Quirks& used) {
    std::string text;
    for (std::size_t i = 0; i < gateway::kQuirks; ++i) {
        if (used.has(static_cast<gateway::Quirk>(i)))
            text += (text.empty() ? ", let pass with " : " and ") +
                    std::string(gateway::kQuirkNames[i]);
    }
    return text;
}

Finding judge_signer(const cmp::PKIMessage& answer, const gateway::UpstreamSettings& upstream,
                     const std::string& said) {
    if (crypto::protection_kind(answer) == crypto::ProtectionKind::none) {
        return {Kind::warning,
                {},
                said + ", unprotected",
                "it speaks CMP, but not who it is; a request it likes will show that"};
    }
    if (crypto::protection_kind(answer) == crypto::ProtectionKind::mac) {
        return {Kind::warning,
                {},
                said + ", protected by a MAC",
                "it speaks CMP; who it is cannot be told without the secret"};
    }
    if (upstream.responder.trust == nullptr)
        return {Kind::good, {}, said + "; who says so is not verified here (opaque)", ""};
    const SystemClock clock;
    crypto::ChainVerifier chains{clock};
    const auto signer =
        gateway::verify_responder(answer, upstream.responder, nullptr, chains, upstream.quirks);
    const std::string sender = asn1::general_name_text(answer.header.sender);
    if (signer) {
        return {Kind::good,
                {},
                said + " by " + asn1::name_text(signer->certificate->subject()) +
                    quirks_text(signer->quirks),
                ""};
    }
    std::string why;
    const gateway::Failure failure = signer.error();
    if (const auto* fault = std::get_if<gateway::UpstreamFault>(&failure)) {
        why = std::string(fault->rule) + (fault->detail.empty() ? "" : ": " + fault->detail);
        if (const auto quirk = gateway::quirk_for(fault->rule)) {
            return bad(said + " by " + sender + " (" + why + ")",
                       "a fault of this CA; if it cannot be mended, quirks = [\"" +
                           std::string(to_string(*quirk)) + "\"] in its [[upstream]] lets it pass");
        }
    }
    return bad(said + " by " + sender + ", who may not answer for this CA (" + why + ")",
               "is `trust` the root of its certificate, and does `responder` say who signs its "
               "answers? A CA without EKU cmcCA: pin its certificate, responder.certificate = "
               "\"file:…\"");
}

}  // namespace

Finding judge_sent(const Sent& sent, ByteView transaction_id, const config::Url& url,
                   const gateway::UpstreamSettings& upstream) {
    if (const auto* not_sent = std::get_if<NotSent>(&sent))
        return judge_not_sent(not_sent->why, url);
    if (const auto* unknown = std::get_if<Unknown>(&sent)) {
        if (unknown->why == "deadline")
            return bad("it took the request and did not answer in time", "its log says why");
        return bad("it took the request and answered nothing that is " +
                       std::string(url.is_tcp() ? "a frame" : "HTTP") + " (" +
                       std::string(unknown->why) + ")",
                   "is it a server for " + url.scheme + ", on that port? One that wants TLS?");
    }
    const Bytes* der = nullptr;
    if (const auto* rejected = std::get_if<RejectedByTransport>(&sent)) {
        if (rejected->der.empty()) return judge_status(*rejected, url);
        der = &rejected->der;
    } else {
        der = &std::get<Delivered>(sent).der;
    }
    const cmp::Limits limits;
    const auto answer = cmp::parse_pki_message(*der, limits);
    if (!answer) {
        return bad("what it answers is no PKIMessage (" +
                       std::string(to_string(answer.error().code)) + " in " +
                       std::string(answer.error().field) + ")",
                   "is it a CMP server? `cmpgate inspect` shows what it says");
    }
    if (!answer->header.transaction_id || !equal(*answer->header.transaction_id, transaction_id)) {
        return {Kind::warning,
                {},
                "it answers with " + std::string(cmp::to_string(answer->type)) +
                    " of another transactionID",
                "it speaks CMP, but could not read the request; its log says why"};
    }
    return judge_signer(*answer, upstream,
                        "answers with " + std::string(cmp::to_string(answer->type)));
}

Finding try_upstream(const config::UpstreamConfig& upstream, const config::Url& url,
                     const gateway::Settings& settings, const std::string& directory) {
    SystemRandom random;
    const SystemClock clock;
    const Bytes transaction_id = random.octets(16);
    const Bytes request =
        build_request(credential_of(upstream, settings), transaction_id, random, clock.wall_now());
    const BootTime begin = clock.boot_now();
    const Sent sent = deliver(upstream, url, request, settings.limits, directory);
    const auto took =
        std::chrono::duration_cast<std::chrono::milliseconds>(clock.boot_now() - begin).count();
    Finding finding = judge_sent(sent, transaction_id, url, settings.upstreams.at(upstream.name));
    finding.what = "upstream " + upstream.name + " " + url.text;
    if (finding.kind != Kind::bad) finding.found += ", in " + std::to_string(took) + " ms";
    return finding;
}

}  // namespace ra::app
