#include "policy/access.h"
#include "policy/pipeline.h"
#include "policy/text.h"
#include "ra/crypto/protection.h"

namespace policy {
namespace {

using ra::Errc;
using ra::cmp::CertReqMsg;
using ra::cmp::PopoType;

Refuse bad_pop(const ra::Error& error) {
    return refuse_body(
        "pop", error.code == Errc::unsupported ? PKIFailureInfo::badAlg : PKIFailureInfo::badPOP,
        error_text(error));
}

/// subsequentMessage [1] (RFC 4211 4.2): the CA will see the proof later. Everything else in
/// POPOPrivKey gives the private key away or is a MAC only the CA can check.
bool is_subsequent_message(ra::ByteView popo_priv_key) noexcept {
    return !popo_priv_key.empty() &&
           popo_priv_key[0] == static_cast<std::uint8_t>(ra::asn1::context_primitive(1));
}

Judged<void> prove_one(const CertReqMsg& request, const Profile& profile, const Origin& origin) {
    const bool no_key = request.cert_template.wants_central_key_generation();
    switch (request.popo) {
        case PopoType::raVerified:
            if (!origin.ra_authority || !profile.ra.ra_verified) {
                return refuse_body("ra-verified", PKIFailureInfo::notAuthorized,
                                   "raVerified from a sender without RA authority (S-11)");
            }
            return boost::system::in_place_value;
        case PopoType::signature:
            if (no_key)
                return refuse_body("pop", PKIFailureInfo::badPOP,
                                   "POP for a key that is not there");
            if (const auto verified = ra::crypto::verify_popo(request); !verified)
                return bad_pop(verified.error());
            return boost::system::in_place_value;
        case PopoType::absent:
            // Whether a key may be made for it is the rule central-key-generation's business.
            if (no_key || profile.pop == Pop::optional) return boost::system::in_place_value;
            return refuse_body("pop", PKIFailureInfo::badPOP, "popo is missing (R-051)");
        case PopoType::keyEncipherment:
        case PopoType::keyAgreement:
            if (no_key || profile.pop == Pop::required ||
                !is_subsequent_message(request.popo_other)) {
                return refuse_body("pop", PKIFailureInfo::badPOP,
                                   "a POP that only the CA could check");
            }
            return boost::system::in_place_value;
    }
    return refuse_body("pop", PKIFailureInfo::badPOP, "unknown popo");
}

/// One parse result into the Body, its error into a refusal.
template <class Parsed>
Judged<Body> body_of(Parsed parsed) {
    if (!parsed) return refuse("body", PKIFailureInfo::badDataFormat, error_text(parsed.error()));
    return Body{std::move(*parsed)};
}

Judged<Body> parse_body(const ra::cmp::PKIMessage& message, const ra::cmp::Limits& limits) {
    const auto at = static_cast<std::size_t>(message.content.data() - message.whole.data());
    switch (message.type) {
        case BodyType::ir:
        case BodyType::cr:
        case BodyType::kur:
            return body_of(ra::cmp::parse_cert_req_messages(message.content, at, limits));
        case BodyType::p10cr:
            return body_of(ra::cmp::parse_certification_request(message.content, at, limits));
        case BodyType::rr:
            return body_of(ra::cmp::parse_rev_req(message.content, at, limits));
        case BodyType::genm:
            return body_of(ra::cmp::parse_gen_msg(message.content, at, limits));
        case BodyType::certConf:
            return body_of(ra::cmp::parse_cert_conf(message.content, at, limits));
        case BodyType::pollReq:
            return body_of(ra::cmp::parse_poll_req(message.content, at, limits));
        default:
            return Body{};
    }
}

}  // namespace

Judged<ProvenRequest> prove(AuthenticMessage message, const ra::cmp::Limits& limits) {
    if (!message.origin().verified) return Access::proven(std::move(message), Body{});

    auto body = parse_body(message.message(), limits);
    if (!body) return std::move(body).error();
    if (const auto* requests = std::get_if<std::vector<CertReqMsg>>(&*body)) {
        // Before any work: several requests would be several signatures to verify (R-026, S-30).
        if (requests->size() != 1) {
            return refuse_body("request-count", PKIFailureInfo::badDataFormat,
                               std::to_string(requests->size()) + " CertReqMsgs, one is allowed");
        }
        auto proven = prove_one(requests->front(), message.profile(), message.origin());
        if (!proven) return std::move(proven).error();
    } else if (const auto* request = std::get_if<ra::cmp::CertificationRequest>(&*body)) {
        if (const auto verified = ra::crypto::verify_self_signature(*request); !verified)
            return bad_pop(verified.error());
    }
    return Access::proven(std::move(message), std::move(*body));
}

}  // namespace policy
