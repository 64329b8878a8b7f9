#include "ra/gateway/match.h"

#include <algorithm>

#include "ra/asn1/certificate.h"
#include "ra/base/secret.h"
#include "ra/cmp/oids.h"
#include "ra/crypto/public_key.h"
#include "ra/gateway/responder.h"

namespace ra::gateway {
namespace {

using cmp::BodyType;
using cmp::PKIFailureInfo;
using cmp::PKIStatus;

UpstreamFault fault(std::string_view rule, std::string detail) {
    return {rule, PKIFailureInfo::systemFailure, std::move(detail)};
}

UpstreamFault fault(std::string_view rule, const Error& error) {
    return fault(rule, std::string(to_string(error.code)) + " in " + std::string(error.field) +
                           " at octet " + std::to_string(error.offset));
}

std::size_t offset_in(const cmp::PKIMessage& message, ByteView part) noexcept {
    return static_cast<std::size_t>(part.data() - message.whole.data());
}

/// The answers a request may get besides `error` (RFC 9810 5.1.2).
bool is_answer_to(BodyType answer, BodyType asked, BodyType began) noexcept {
    switch (asked) {
        case BodyType::ir:
            return answer == BodyType::ip;
        case BodyType::cr:
        case BodyType::p10cr:
            return answer == BodyType::cp;
        case BodyType::kur:
            return answer == BodyType::kup;
        case BodyType::ccr:
            return answer == BodyType::ccp;
        case BodyType::rr:
            return answer == BodyType::rp;
        case BodyType::krr:
            return answer == BodyType::krp;
        case BodyType::genm:
            return answer == BodyType::genp;
        case BodyType::certConf:
            return answer == BodyType::pkiconf;
        case BodyType::pollReq:
            return answer == BodyType::pollRep ||
                   (began != BodyType::pollReq && is_answer_to(answer, began, began));
        default:
            return false;
    }
}

/// A certConf's answer may be delayed too (RFC 9483 4.4). Its request is not kept any more once the
/// certificate has come; of opaque transactions none is, and either may be what is polled for.
bool confirms_late(BodyType answer, const Asked& asked) noexcept {
    const BodyType began = asked.record.request_type;
    return asked.type == BodyType::pollReq && answer == BodyType::pkiconf &&
           (cmp::is_cert_request(began) || began == BodyType::p10cr) &&
           asked.record.request == nullptr;
}

/// Whether this CA is known to do so.
bool lets_pass(Quirk quirk, const Asked& asked, Quirks& used) noexcept {
    if (!asked.upstream.quirks.has(quirk)) return false;
    used.add(quirk);
    return true;
}

Outcome<void> match_header(const cmp::PKIMessage& answer, const Asked& asked, Quirks& used) {
    const cmp::PKIHeader& header = answer.header;
    const bool old_error = header.pvno == 1 && answer.type == BodyType::error;
    if (header.pvno != 2 && header.pvno != 3 &&
        !(old_error && lets_pass(Quirk::pvno_1_error, asked, used)))
        return fault("answer-pvno", std::to_string(header.pvno));
    if (!header.transaction_id || !equal_secret(*header.transaction_id, asked.transaction_id)) {
        return fault("answer-transaction-id", "transactionID differs from the request's");
    }
    if (!header.recip_nonce) return fault("answer-recip-nonce", "recipNonce is missing");
    // After a delay both nonces are right.
    const bool of_delayed = asked.type == BodyType::pollReq &&
                            (equal_secret(*header.recip_nonce, asked.record.first_nonce) ||
                             equal_secret(*header.recip_nonce, asked.record.parked_nonce));
    if (!of_delayed && !equal_secret(*header.recip_nonce, asked.sender_nonce)) {
        return fault("answer-recip-nonce", "recipNonce is not the request's senderNonce");
    }
    if (!header.sender_nonce) return fault("answer-sender-nonce", "senderNonce is missing");
    if (header.implicit_confirm() && !asked.record.implicit_confirm_requested) {
        return fault("answer-implicit-confirm", "implicitConfirm was not asked for (S-13)");
    }
    return boost::system::in_place_value;
}

bool is_listed(const UpstreamSettings& upstream, ByteView certificate) {
    return std::any_of(upstream.ca_pubs.begin(), upstream.ca_pubs.end(),
                       [certificate](const auto& one) { return equal(one->der(), certificate); });
}

Outcome<void> match_ca_pubs(const cmp::CertRepMessage& rep, BodyType type, const Asked& asked) {
    if (rep.ca_pubs.empty()) return boost::system::in_place_value;
    if (type != BodyType::ip) return fault("answer-ca-pubs", "caPubs outside ip (R-167)");
    for (const ByteView certificate : rep.ca_pubs) {
        if (!is_listed(asked.upstream, certificate))
            return fault("answer-ca-pubs",
                         "caPubs holds a certificate not listed in ca_pubs (S-13)");
    }
    return boost::system::in_place_value;
}

/// Status, certifiedKeyPair and failInfo must tell one story (S-13).
Outcome<void> match_status(const cmp::CertResponse& response) {
    const PKIStatus status = response.status.status;
    const bool positive = status == PKIStatus::accepted || status == PKIStatus::grantedWithMods;
    if (positive != response.has_certified_key_pair) {
        return fault("answer-status", positive ? "positive status without certificate"
                                               : "certificate without positive status");
    }
    if (!positive && status != PKIStatus::rejection && status != PKIStatus::waiting) {
        return fault("answer-status", "status " + std::string(cmp::to_string(status)) +
                                          " in a certificate response");
    }
    if (response.status.fail_info && status != PKIStatus::rejection)
        return fault("answer-status", "failInfo without rejection");
    return boost::system::in_place_value;
}

Outcome<void> match_certificate(const cmp::CertResponse& response, const Asked& asked,
                                const Settings& settings) {
    if (response.certificate.empty())
        return boost::system::in_place_value;  // encryptedCert: certConf proves it
    const auto issued = asn1::parse_certificate(response.certificate);
    if (!issued) return fault("answer-certificate", issued.error());
    if (asked.record.request == nullptr)
        return fault("answer-certificate", "no request kept to compare with");
    const policy::Decision decision =
        policy::check_issued(asked.profile, *issued, *asked.record.request, asked.sender_subject,
                             settings.limits, response.status.status == PKIStatus::grantedWithMods);
    if (const auto* refuse = std::get_if<policy::Refuse>(&decision))
        return fault(refuse->rule, refuse->detail);
    return boost::system::in_place_value;
}

/// What a body says, checked as far as it matters. Views into the answer.
struct Said {
    State next{};
    ByteView issued;
    bool revoked = false;
};

Outcome<Said> match_cert_response(const cmp::PKIMessage& answer, const Asked& asked,
                                  const Settings& settings) {
    const auto rep =
        cmp::parse_cert_rep(answer.content, offset_in(answer, answer.content), settings.limits);
    if (!rep) return fault("answer-body", rep.error());
    // An opaque answer is the CA's and the device's business; only its state is ours (S-10).
    const bool judged = asked.record.verified;
    if (judged) {
        if (const auto pubs = match_ca_pubs(*rep, answer.type, asked); !pubs) return pubs.error();
    }
    if (rep->responses.size() != 1) return fault("answer-body", "not exactly one CertResponse");
    const cmp::CertResponse& response = rep->responses.front();
    const std::int64_t id = response.cert_req_id;
    // RFC 9810 wants -1 after p10cr, deployed CAs send 0 (spec 01 section 6).
    const bool right_id = id == asked.record.cert_req_id ||
                          (asked.record.request_type == BodyType::p10cr && (id == 0 || id == -1));
    if (!right_id) return fault("answer-cert-req-id", std::to_string(id));
    if (const auto status = match_status(response); !status) return status.error();
    if (judged) {
        const auto certificate = match_certificate(response, asked, settings);
        if (!certificate) return certificate.error();
    }

    switch (response.status.status) {
        case PKIStatus::waiting:
            return Said{State::expects_poll, {}, false};
        case PKIStatus::rejection:
            return Said{State::finished, {}, false};
        default:
            break;
    }
    const State next = answer.header.implicit_confirm() ? State::finished : State::expects_certconf;
    return Said{next, response.certificate, false};
}

/// RFC 9810 5.3.10: one status for each certificate asked for, in order; one was asked for.
Outcome<Said> match_rev_rep(const cmp::PKIMessage& answer, const Settings& settings) {
    const auto rep =
        cmp::parse_rev_rep(answer.content, offset_in(answer, answer.content), settings.limits);
    if (!rep) return fault("answer-body", rep.error());
    const auto is_positive = [](const cmp::PKIStatusInfo& one) {
        return one.status == PKIStatus::accepted || one.status == PKIStatus::grantedWithMods ||
               one.status == PKIStatus::revocationNotification;
    };
    const bool revoked =
        !rep->status.empty() && std::all_of(rep->status.begin(), rep->status.end(), is_positive);
    return Said{State::finished, {}, revoked};
}

/// What a genp delivers as CA certificates or new root ends up in trust stores of devices (S-13): a
/// root must be listed, another CA certificate listed or under the upstream's trust.
Outcome<void> match_gen_rep(const cmp::PKIMessage& answer, const Asked& asked,
                            const Settings& settings, crypto::ChainVerifier& chains) {
    const auto infos =
        cmp::parse_gen_msg(answer.content, offset_in(answer, answer.content), settings.limits);
    if (!infos) return fault("answer-body", infos.error());
    for (const cmp::InfoTypeAndValue& info : *infos) {
        const bool ca_certs = cmp::oid::kCaCerts == info.type;
        if ((!ca_certs && !(cmp::oid::kRootCaKeyUpdate == info.type)) || info.value.empty())
            continue;
        asn1::DerReader outer{info.value};
        const auto content = outer.read(asn1::Tag::sequence, "infoValue");
        if (!content) return fault("answer-body", content.error());
        asn1::DerReader certificates{*content};
        while (!certificates.at_end()) {
            const auto certificate = certificates.read_any("certificate");
            if (!certificate) return fault("answer-body", certificate.error());
            if (is_listed(asked.upstream, certificate->whole)) continue;
            // newWithOld and oldWithNew only link what newWithNew, listed, has made trustworthy.
            if (!ca_certs && certificate->tag != asn1::Tag::sequence) continue;
            Result<crypto::Chain> chain = fail(Errc::missing, "trust");
            if (const auto& trust = asked.upstream.responder.trust; trust != nullptr)
                chain = chains.verify(*trust, certificate->whole, {});
            if (!ca_certs || !chain || !chain->leaf->is_ca()) {
                return fault("answer-ca-certs",
                             "a CA certificate that is neither listed in ca_pubs nor under the "
                             "upstream's trust");
            }
        }
    }
    return boost::system::in_place_value;
}

/// The CA said no: nothing was issued.
bool is_refusal(const cmp::PKIMessage& answer, const cmp::Limits& limits) {
    if (answer.type == BodyType::error) return true;
    if (!cmp::is_cert_response(answer.type)) return false;
    const auto rep = cmp::parse_cert_rep(answer.content, offset_in(answer, answer.content), limits);
    return rep && rep->responses.front().status.status == PKIStatus::rejection;
}

/// Says no, and nothing else: no certificate, no trust anchor, no "waiting".
bool only_refuses(const cmp::PKIMessage& answer, const cmp::Limits& limits) {
    const std::size_t offset = offset_in(answer, answer.content);
    const auto is_rejection = [](const cmp::PKIStatusInfo& one) {
        return one.status == PKIStatus::rejection;
    };
    if (answer.type == BodyType::error) {
        const auto error = cmp::parse_error(answer.content, offset, limits);
        return error && is_rejection(error->status);
    }
    if (answer.type == BodyType::rp) {
        const auto rep = cmp::parse_rev_rep(answer.content, offset, limits);
        return rep && !rep->status.empty() &&
               std::all_of(rep->status.begin(), rep->status.end(), is_rejection);
    }
    if (!cmp::is_cert_response(answer.type)) return false;
    const auto rep = cmp::parse_cert_rep(answer.content, offset, limits);
    return rep && rep->ca_pubs.empty() && !rep->responses.empty() &&
           std::all_of(rep->responses.begin(), rep->responses.end(), [&](const auto& one) {
               return is_rejection(one.status) && !one.has_certified_key_pair;
           });
}

/// Whether an answer without protection is one that this CA is known to send so.
bool may_be_unprotected(const cmp::PKIMessage& answer, const Asked& asked,
                        const cmp::Limits& limits, Quirks& used) {
    if (crypto::protection_kind(answer) != crypto::ProtectionKind::none) return false;
    if (answer.type == BodyType::pkiconf) return lets_pass(Quirk::unprotected_pkiconf, asked, used);
    return only_refuses(answer, limits) && lets_pass(Quirk::unprotected_refusal, asked, used);
}

/// The body, checked as far as it matters.
Outcome<Said> match_body(const cmp::PKIMessage& answer, const Asked& asked,
                         const Settings& settings, crypto::ChainVerifier& chains) {
    const std::size_t offset = offset_in(answer, answer.content);
    if (answer.type == BodyType::error) {
        const auto error = cmp::parse_error(answer.content, offset, settings.limits);
        if (!error) return fault("answer-body", error.error());
        const bool waiting = error->status.status == PKIStatus::waiting;
        return Said{waiting ? State::expects_poll : State::finished, {}, false};
    }
    if (!is_answer_to(answer.type, asked.type, asked.record.request_type) &&
        !confirms_late(answer.type, asked)) {
        return fault("answer-body-type", std::string(cmp::to_string(answer.type)) + " to " +
                                             std::string(cmp::to_string(asked.type)));
    }
    if (cmp::is_cert_response(answer.type)) return match_cert_response(answer, asked, settings);
    if (answer.type == BodyType::pollRep) {
        const auto poll = cmp::parse_poll_rep(answer.content, offset, settings.limits);
        if (!poll) return fault("answer-body", poll.error());
        for (const cmp::PollRep& one : *poll) {
            if (one.check_after < 0 || one.check_after > asked.upstream.max_check_after.count()) {
                return fault("answer-check-after", std::to_string(one.check_after) + " s");
            }
        }
        return Said{State::expects_poll, {}, false};
    }
    if (answer.type == BodyType::rp) return match_rev_rep(answer, settings);
    if (answer.type == BodyType::genp && asked.record.verified) {
        if (const auto pubs = match_gen_rep(answer, asked, settings, chains); !pubs)
            return pubs.error();
    }
    if (const auto checked = cmp::check_body(answer, settings.limits); !checked)
        return fault("answer-body", checked.error());
    return Said{State::finished, {}, false};
}

/// Whether the CA may have issued a certificate over what was asked, whatever it answered.
bool may_issue(const Asked& asked) noexcept {
    const BodyType type = asked.type == BodyType::pollReq ? asked.record.request_type : asked.type;
    return cmp::is_cert_request(type) || type == BodyType::p10cr;
}

Outcome<MatchedResponse> match(cmp::ParsedMessage parsed, const Asked& asked,
                               const Settings& settings, crypto::ChainVerifier& chains) {
    const cmp::PKIMessage& answer = parsed.message();
    Quirks used;
    if (const auto header = match_header(answer, asked, used); !header) return header.error();
    crypto::CertificatePtr responder;
    const bool unprotected =
        asked.record.verified && may_be_unprotected(answer, asked, settings.limits, used);
    if (unprotected) {
        responder = nullptr;
    } else if (asked.record.verified && asked.under_secret) {
        if (auto verified = verify_secret_holder(answer, asked); !verified)
            return std::move(verified).error();
    } else if (asked.record.verified) {
        auto verified = verify_responder(answer, asked.upstream.responder, asked.record.responder,
                                         chains, asked.upstream.quirks);
        if (!verified) return verified.error();
        responder = std::move(verified->certificate);
        used.add(verified->quirks);
    }
    const auto said = match_body(answer, asked, settings, chains);
    if (!said) return said.error();
    const bool no = said->next == State::finished && is_refusal(answer, settings.limits);
    return MatchedResponse{std::move(parsed),
                           said->next,
                           std::move(responder),
                           no && !unprotected,
                           said->issued,
                           said->revoked,
                           used,
                           unprotected && may_issue(asked)};
}

}  // namespace

Outcome<MatchedResponse> match_response(Bytes octets, const Asked& asked, const Settings& settings,
                                        crypto::ChainVerifier& chains) {
    auto parsed = cmp::ParsedMessage::parse(cmp::MessageBuffer{std::move(octets)}, settings.limits);
    // An answer that is refused says nothing, least of all that nothing was issued (S-04).
    if (!parsed) {
        UpstreamFault refused = fault("answer-parse", parsed.error());
        refused.possibly_issued = may_issue(asked);
        return refused;
    }
    auto matched = match(std::move(*parsed), asked, settings, chains);
    if (!matched) {
        UpstreamFault refused = std::get<UpstreamFault>(std::move(matched).error());
        refused.possibly_issued = may_issue(asked);
        return refused;
    }
    return matched;
}

}  // namespace ra::gateway
