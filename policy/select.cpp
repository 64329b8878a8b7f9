#include <algorithm>

#include "policy/access.h"
#include "policy/pattern_match.h"
#include "policy/pipeline.h"
#include "policy/text.h"
#include "ra/asn1/name.h"

namespace policy {
namespace {

using ra::Operation;
using ra::cmp::PKIHeader;
using ra::cmp::PKIMessage;

bool is_follow_up(BodyType type) noexcept {
    return type == BodyType::certConf || type == BodyType::pollReq || type == BodyType::popdecr;
}

/// What an EE or an RA may send towards the CA. Neither sends `error` upstream.
bool is_request(BodyType type) noexcept {
    return ra::cmp::is_state_changing(type) || is_follow_up(type) || type == BodyType::genm ||
           type == BodyType::nested;
}

/// The body the path promised (RFC 9483 6.1).
bool fits(Operation advised, BodyType type) noexcept {
    switch (advised) {
        case Operation::unspecified:
            return true;
        case Operation::ir:
            return type == BodyType::ir;
        case Operation::cr:
            return type == BodyType::cr;
        case Operation::kur:
            return type == BodyType::kur;
        case Operation::p10cr:
            return type == BodyType::p10cr;
        case Operation::rr:
            return type == BodyType::rr;
        case Operation::get_ca_certs:
        case Operation::get_root_update:
        case Operation::get_cert_req_template:
        case Operation::get_crls:
            return type == BodyType::genm;
        case Operation::nested:
            return type == BodyType::nested;
    }
    return false;
}

bool takes_label(const Match& match, std::string_view label) {
    return match.labels.empty() ||
           std::find(match.labels.begin(), match.labels.end(), label) != match.labels.end();
}

bool takes_listener(const Match& match, ra::ListenerId listener) {
    return match.listeners.empty() || std::find(match.listeners.begin(), match.listeners.end(),
                                                listener) != match.listeners.end();
}

bool takes_cert_profile(const Match& match, const PKIHeader& header) {
    if (match.cert_profiles.empty()) return true;
    const auto name = header.cert_profile();
    return name && std::find(match.cert_profiles.begin(), match.cert_profiles.end(), *name) !=
                       match.cert_profiles.end();
}

bool takes_sender(const Match& match, const PKIHeader& header) {
    if (match.senders.empty()) return true;
    const auto name = ra::cmp::directory_name(header.sender);
    return name && std::any_of(match.senders.begin(), match.senders.end(),
                               [&name](const NamePattern& one) { return matches(one, *name, {}); });
}

/// Whether the connection is one this profile takes messages from. It narrows; it grants nothing.
Judged<void> check_tls_client(const Profile& profile, const ra::TlsFacts* tls) {
    const TlsClient& wanted = profile.tls_client;
    if (wanted.subjects.empty()) return boost::system::in_place_value;
    const auto deny = [&profile](const std::string& why) {
        return refuse("tls-client", PKIFailureInfo::notAuthorized,
                      "profile " + profile.name + " wants a TLS client certificate: " + why);
    };
    if (tls == nullptr) return deny("the connection is not TLS");
    if (tls->client_subject.empty()) return deny("the client has none");
    if (tls->told_by_proxy && !wanted.from_proxy) return deny("only a proxy says so");
    const ra::ByteView name = tls->client_subject;
    const bool known =
        std::any_of(wanted.subjects.begin(), wanted.subjects.end(),
                    [name](const NamePattern& one) { return matches(one, name, {}); });
    if (!known) return deny(ra::asn1::name_text(tls->client_subject) + " is not one of tls_client");
    return boost::system::in_place_value;
}

/// Why a profile does not apply; empty: it does.
std::string_view mismatch(const Profile& profile, const PKIMessage& message,
                          const ArrivalFacts& facts) {
    if (!takes_listener(profile.match, facts.listener)) return "listener";
    if (!takes_label(profile.match, facts.label)) return "label";
    if (!takes_sender(profile.match, message.header)) return "sender";
    if (is_follow_up(message.type)) return {};  // its transaction has passed the rest
    if (!operations_of(profile.match).test(static_cast<std::size_t>(message.type)))
        return "operation";
    if (!takes_cert_profile(profile.match, message.header)) return "certProfile";
    return {};
}

Judged<void> check_id(const std::optional<ra::ByteView>& id, std::string_view rule,
                      std::string_view name, PKIFailureInfo info, const ra::cmp::Limits& limits) {
    if (!id) return refuse(rule, info, std::string(name) + " is missing");
    if (id->size() < limits.id_min || id->size() > limits.id_max) {
        return refuse(rule, info,
                      std::string(name) + " of " + std::to_string(id->size()) + " octets");
    }
    return boost::system::in_place_value;
}

}  // namespace

Operations operations_of(const Match& match) noexcept {
    if (match.operations.any()) return match.operations;
    Operations out;
    for (const BodyType type : {BodyType::ir, BodyType::cr, BodyType::kur, BodyType::p10cr,
                                BodyType::rr, BodyType::genm}) {
        out.set(static_cast<std::size_t>(type));
    }
    return out;
}

Judged<void> check_header(const PKIMessage& message, const ra::cmp::Limits& limits) {
    const PKIHeader& header = message.header;
    if (header.pvno != 2 && header.pvno != 3) {
        return refuse("pvno", PKIFailureInfo::unsupportedVersion,
                      "pvno " + std::to_string(header.pvno));
    }
    if (auto id = check_id(header.transaction_id, "transaction-id", "transactionID",
                           PKIFailureInfo::badDataFormat, limits);
        !id)
        return id;
    if (!is_request(message.type)) {
        return refuse("body-type", PKIFailureInfo::badRequest,
                      std::string(to_string(message.type)) + " is not for an RA to receive");
    }
    if (auto nonce = check_id(header.sender_nonce, "sender-nonce", "senderNonce",
                              PKIFailureInfo::badSenderNonce, limits);
        !nonce)
        return nonce;
    if (is_follow_up(message.type)) {
        auto nonce = check_id(header.recip_nonce, "recip-nonce", "recipNonce",
                              PKIFailureInfo::badRecipientNonce, limits);
        if (!nonce) return nonce;
    } else if (header.recip_nonce && message.type != BodyType::nested) {
        return refuse("recip-nonce", PKIFailureInfo::badRecipientNonce,
                      "recipNonce in a first message");
    }
    for (const auto& kid : {header.sender_kid, header.recip_kid}) {
        if (kid && kid->size() > limits.kid_max) {
            return refuse("kid-size", PKIFailureInfo::badDataFormat,
                          "senderKID or recipKID of " + std::to_string(kid->size()) + " octets");
        }
    }
    return boost::system::in_place_value;
}

Judged<ProfiledMessage> select(ra::cmp::ParsedMessage parsed, const ArrivalFacts& facts,
                               const std::vector<ProfilePtr>& profiles, const ProfilePtr& pinned) {
    const PKIMessage& message = parsed.message();
    const bool follow_up = is_follow_up(message.type);
    if (!follow_up && !fits(facts.advised, message.type)) {
        return refuse(
            "operation-mismatch", PKIFailureInfo::badRequest,
            "the path is for another operation than " + std::string(to_string(message.type)));
    }
    if (follow_up && pinned != nullptr) {
        if (!takes_listener(pinned->match, facts.listener) ||
            !takes_label(pinned->match, facts.label)) {
            return refuse("label-mismatch", PKIFailureInfo::badRequest,
                          "its transaction began elsewhere: profile " + pinned->name);
        }
        if (auto client = check_tls_client(*pinned, facts.tls); !client) return client.error();
        return Access::profiled(std::move(parsed), pinned);
    }

    std::string reasons;
    for (const ProfilePtr& profile : profiles) {
        const std::string_view why = mismatch(*profile, message, facts);
        if (!why.empty()) {
            reasons += (reasons.empty() ? "" : ", ") + profile->name + ": " + std::string(why);
            continue;
        }
        // The label is a claim of the path, certProfile is protected (S-16).
        if (profile->require_profile_equals_label && !follow_up &&
            message.header.cert_profile() != facts.label) {
            return refuse("label-mismatch", PKIFailureInfo::notAuthorized,
                          "profile " + profile->name + " wants certProfile to equal the label");
        }
        if (auto client = check_tls_client(*profile, facts.tls); !client) return client.error();
        return Access::profiled(std::move(parsed), profile);
    }
    return refuse("no-profile", PKIFailureInfo::notAuthorized,
                  reasons.empty() ? "no profiles" : "no profile matches (" + reasons + ")");
}

bool relays_whole(const PKIMessage& nested, const ArrivalFacts& facts,
                  const std::vector<ProfilePtr>& profiles) {
    const auto first = std::find_if(profiles.begin(), profiles.end(), [&](const ProfilePtr& one) {
        return mismatch(*one, nested, facts).empty();
    });
    return first != profiles.end() && (*first)->origin.kind == OriginSettings::Kind::opaque;
}

}  // namespace policy
