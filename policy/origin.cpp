#include <algorithm>
#include <array>

#include "policy/access.h"
#include "policy/distinguished_name.h"
#include "policy/pattern_match.h"
#include "policy/pipeline.h"
#include "policy/source_prefix.h"
#include "policy/text.h"
#include "ra/asn1/der_writer.h"
#include "ra/asn1/oids.h"
#include "ra/cmp/oids.h"
#include "ra/crypto/protection.h"

namespace policy {
namespace {

using ra::Errc;
using ra::cmp::PKIHeader;
using ra::crypto::ProtectionKind;

constexpr ra::asn1::Oid kCommonName = ra::asn1::oid("2.5.4.3");

bool begins_transaction(BodyType type) noexcept {
    return type != BodyType::certConf && type != BodyType::pollReq && type != BodyType::popdecr;
}

Judged<void> check_time(const PKIHeader& header, const OriginSettings& origin, BodyType type,
                        ra::WallTime now) {
    if (!header.message_time) {
        // A follow-up is tied to its transaction by the nonces; only a first message can be
        // replayed (S-05).
        if (begins_transaction(type) && origin.undated == OriginSettings::Undated::refuse) {
            return refuse("message-time", PKIFailureInfo::missingTimeStamp,
                          "messageTime is missing");
        }
        return boost::system::in_place_value;
    }
    const auto apart =
        *header.message_time > now ? *header.message_time - now : now - *header.message_time;
    if (origin.time_window.count() != 0 && apart > origin.time_window) {
        return refuse("message-time", PKIFailureInfo::badTime,
                      "messageTime is " + std::to_string(apart.count()) + " s " +
                          (*header.message_time > now ? "ahead" : "old"));
    }
    return boost::system::in_place_value;
}

Refuse untrusted(const ra::Error& error, BodyType type) {
    PKIFailureInfo info = PKIFailureInfo::signerNotTrusted;
    switch (error.code) {
        case Errc::unsupported:
            info = PKIFailureInfo::badAlg;
            break;
        case Errc::revoked:
            info = PKIFailureInfo::certRevoked;
            break;
        case Errc::expired:
            // Of the certificate the operation is about.
            if (type == BodyType::kur || type == BodyType::rr) info = PKIFailureInfo::certRevoked;
            break;
        case Errc::unavailable:
            info = PKIFailureInfo::systemUnavail;
            break;
        case Errc::truncated:
        case Errc::bad_tag:
        case Errc::bad_length:
        case Errc::trailing_data:
            info = PKIFailureInfo::badDataFormat;
            break;
        default:
            break;
    }
    return refuse("chain", info, error_text(error));
}

Refuse unverified(const ra::Error& error) {
    const bool algorithm = error.code == Errc::unsupported || error.code == Errc::bad_value;
    return refuse("protection",
                  algorithm ? PKIFailureInfo::badAlg : PKIFailureInfo::badMessageCheck,
                  error_text(error));
}

bool has_cmc_ra(const ra::crypto::Certificate& certificate) {
    for (const ra::ByteView oid : certificate.extended_key_usage()) {
        if (ra::cmp::oid::kCmcRa == oid) return true;
    }
    return false;
}

/// S-03: a digest over kind and identity; kinds never collide because each has its own prefix.
Principal opaque_principal(const PKIHeader& header, ra::ListenerId listener) {
    const auto number = static_cast<std::uint16_t>(listener);
    std::string prefix = header.sender_kid ? "opaque-kid:" : "opaque-sender:";
    prefix += static_cast<char>(number >> 8U);
    prefix += static_cast<char>(number & 0xffU);
    return {ra::crypto::sha256(ra::as_bytes(prefix),
                               header.sender_kid ? *header.sender_kid : header.sender)};
}

/// Each secret of a reference is somebody else: what one began, the next cannot go on with.
Principal mac_principal(ra::ByteView reference, std::uint64_t generation) {
    ra::Bytes identity;
    for (int shift = 56; shift >= 0; shift -= 8)
        identity.push_back(static_cast<std::uint8_t>(generation >> static_cast<unsigned>(shift)));
    ra::append(identity, reference);
    return {ra::crypto::sha256(ra::as_bytes("mac:"), identity)};
}

/// Name with CN=reference alone: who the holder of a secret is.
ra::Bytes name_of_reference(ra::ByteView reference) {
    using ra::asn1::Tag;
    ra::asn1::DerWriter writer;
    {
        const auto name = writer.open(Tag::sequence);
        const auto rdn = writer.open(Tag::set);
        const auto attribute = writer.open(Tag::sequence);
        writer.oid(kCommonName.view());
        writer.tlv(Tag::utf8_string, reference);
    }
    return std::move(writer).take();
}

/// The CN of `sender`; nullopt: no directoryName, or not exactly one readable CN. Empty `sender` is
/// the NULL-DN.
std::optional<std::string_view> sender_cn(const PKIHeader& header) {
    const auto name = ra::cmp::directory_name(header.sender);
    if (!name) return std::nullopt;
    return sender_value(Sender{*name}, kCommonName.view());
}

bool is_null_dn(const PKIHeader& header) {
    const auto name = ra::cmp::directory_name(header.sender);
    return name && name->size() == 2;  // an empty SEQUENCE
}

/// senderKID names the secret; where it is missing, the CN of sender does (RFC 9483 3.1
/// wants both the same, and stock clients whose name is not known send NULL-DN).
Judged<OriginPlan> plan_mac(const PKIHeader& header, const OriginSettings& origin) {
    OriginPlan plan;
    plan.kind = OriginPlan::Kind::mac;
    const auto cn = sender_cn(header);
    if (header.sender_kid) {
        plan.reference = ra::to_bytes(*header.sender_kid);
    } else if (cn) {
        plan.reference = ra::to_bytes(ra::as_bytes(*cn));
    }
    if (plan.reference.empty()) {
        return refuse("sender-kid", PKIFailureInfo::badMessageCheck,
                      "neither senderKID nor a CN in sender names a secret (R-011)");
    }
    if (origin.sender_is_reference && !is_null_dn(header) &&
        (!cn || !ra::equal(ra::as_bytes(*cn), plan.reference))) {
        return refuse("sender-kid", PKIFailureInfo::badMessageCheck,
                      "CN of sender is not the senderKID of the MAC (R-011); "
                      "origin.sender_is_reference = false lets it pass");
    }
    auto parameters = ra::crypto::parse_mac_parameters(*header.protection_alg, origin.mac_limits);
    if (!parameters) {
        const bool unknown = parameters.error().code == Errc::unsupported;
        return refuse("mac-parameters",
                      unknown || parameters.error().code == Errc::bad_value
                          ? PKIFailureInfo::badAlg
                          : PKIFailureInfo::badDataFormat,
                      error_text(parameters.error()));
    }
    plan.mac = std::move(*parameters);
    return plan;
}

/// A senderKID is no secret: whoever uses it from elsewhere fills a share of his own (S-05).
Principal opaque_payer(const Principal& principal, std::string_view peer) {
    ra::Bytes source = ra::to_bytes(ra::as_bytes("opaque-peer:"));
    ra::append(source, source_prefix(peer));
    return {ra::crypto::sha256(principal.digest, source)};
}

Judged<void> check_signer(const PKIHeader& header, const ra::crypto::Certificate& signer,
                          const OriginSettings& origin) {
    if (!signer.may_sign()) {
        return refuse("signer-key-usage", PKIFailureInfo::signerNotTrusted,
                      "keyUsage of the protection certificate lacks digitalSignature (R-013)");
    }
    if (header.sender_kid && signer.subject_key_id() &&
        !ra::equal(*header.sender_kid, *signer.subject_key_id())) {
        return refuse("sender-kid", PKIFailureInfo::badMessageCheck,
                      "senderKID " + ra::to_hex(*header.sender_kid) +
                          " is not the protection certificate's " +
                          ra::to_hex(*signer.subject_key_id()) + " (R-011)");
    }
    if (origin.sender_is_subject) {
        const auto name = ra::cmp::directory_name(header.sender);
        if (!name || !same_name(*name, signer.subject())) {
            return refuse("sender", PKIFailureInfo::badMessageCheck,
                          "sender " + (name ? name_text(*name) : "that is no directoryName") +
                              " is not the protection certificate's subject " +
                              name_text(signer.subject()) + " (R-017)");
        }
    }
    return boost::system::in_place_value;
}

}  // namespace

Judged<OriginPlan> plan_origin(const ProfiledMessage& message, ra::WallTime now) {
    const Profile& profile = message.profile();
    const PKIHeader& header = message.message().header;
    if (profile.origin.kind == OriginSettings::Kind::opaque) {
        // Whoever sends a recorded message again cannot change its time: the CA would see that.
        if (header.message_time) {
            auto time = check_time(header, profile.origin, message.message().type, now);
            if (!time) return std::move(time).error();
        }
        return OriginPlan{OriginPlan::Kind::opaque, nullptr, nullptr};
    }

    const bool macs = profile.origin.mac == OriginSettings::Mac::secrets;
    if (profile.origin.trust == nullptr && !macs) {
        return refuse("no-trust", PKIFailureInfo::notAuthorized,
                      "profile " + profile.name + " trusts nobody (S-10)");
    }
    const ProtectionKind kind = ra::crypto::protection_kind(message.message());
    switch (kind) {
        case ProtectionKind::none:
            return refuse("unprotected", PKIFailureInfo::badMessageCheck,
                          "message without protection (R-007)");
        case ProtectionKind::mac:
            if (macs) break;
            return refuse("protection-kind", PKIFailureInfo::wrongIntegrity,
                          "MAC where a signature is required (R-010)");
        case ProtectionKind::signature:
            if (profile.origin.trust != nullptr) break;
            return refuse("protection-kind", PKIFailureInfo::wrongIntegrity,
                          "signature where a MAC is required (R-010)");
    }
    if (auto time = check_time(header, profile.origin, message.message().type, now); !time)
        return std::move(time).error();
    if (kind == ProtectionKind::mac) return plan_mac(header, profile.origin);
    return OriginPlan{OriginPlan::Kind::signature, profile.origin.trust.get(),
                      profile.ra.trust.get()};
}

Judged<AuthenticMessage> conclude_origin(ProfiledMessage message, const OriginPlan& plan,
                                         const OriginFacts& facts, ra::ListenerId listener) {
    const PKIHeader& header = message.message().header;
    Origin origin;
    if (plan.kind == OriginPlan::Kind::opaque) {
        origin.principal = opaque_principal(header, listener);
        origin.payer = opaque_payer(origin.principal, facts.peer);
        return Access::authentic(std::move(message), std::move(origin));
    }

    if (plan.kind == OriginPlan::Kind::mac) {
        if (!facts.mac) {
            return refuse("mac", PKIFailureInfo::badMessageCheck,
                          facts.mac_detail.empty() ? error_text(facts.mac.error())
                                                   : std::string(facts.mac_detail));
        }
        origin.principal = mac_principal(plan.reference, facts.secret_generation);
        origin.verified = true;
        origin.subject = name_of_reference(plan.reference);
        origin.reference = plan.reference;
        return Access::authentic(std::move(message), std::move(origin));
    }

    const bool under_ra_trust = plan.ra_trust != nullptr && facts.ra_chain.has_value();
    if (!facts.chain && !under_ra_trust) {
        Refuse refused = untrusted(facts.chain.error(), message.message().type);
        // What libcrypto does not know is known by its name, if at all.
        if (refused.fail_info == PKIFailureInfo::badAlg && header.protection_alg)
            refused.detail +=
                "; protected by " + ra::asn1::oid_name(header.protection_alg->algorithm);
        return refused;
    }
    const ra::crypto::Chain& chain = facts.chain ? *facts.chain : *facts.ra_chain;
    if (!facts.signature) return unverified(facts.signature.error());
    if (auto signer = check_signer(header, *chain.leaf, message.profile().origin); !signer)
        return std::move(signer).error();

    origin.ra_authority = under_ra_trust && (!message.profile().ra.require_cmc_ra ||
                                             has_cmc_ra(*facts.ra_chain->leaf));
    if (!facts.chain && !origin.ra_authority) {
        return refuse("chain", PKIFailureInfo::signerNotTrusted,
                      "under the RA's trust, but without EKU cmcRA");
    }
    origin.principal = signature_principal(chain.leaf->digest());
    origin.verified = true;
    origin.signer = chain.leaf;
    origin.subject = ra::to_bytes(chain.leaf->subject());
    origin.issuer = chain.issuer;
    return Access::authentic(std::move(message), std::move(origin));
}

std::chrono::seconds replayable_for(const Origin& origin, ra::WallTime now) {
    constexpr std::chrono::seconds kLongest = std::chrono::hours{24 * 365 * 60};
    if (origin.signer == nullptr) return kLongest;
    return std::clamp<std::chrono::seconds>(origin.signer->view().not_after - now,
                                            std::chrono::seconds{0}, kLongest);
}

Judged<ApprovalPlan> plan_approval(const ra::cmp::PKIMessage& outer, const Profile& profile,
                                   ra::WallTime now) {
    if (profile.ra.trust == nullptr || !profile.ra.nested) {
        return refuse("nested", PKIFailureInfo::notAuthorized,
                      "profile " + profile.name + " takes no RA's approval (S-11)");
    }
    switch (ra::crypto::protection_kind(outer)) {
        case ProtectionKind::none:
            return refuse("unprotected", PKIFailureInfo::badMessageCheck,
                          "nested without protection (R-007)");
        case ProtectionKind::mac:
            return refuse("protection-kind", PKIFailureInfo::wrongIntegrity,
                          "an RA approves by a signature (R-081)");
        case ProtectionKind::signature:
            break;
    }
    if (auto time = check_time(outer.header, profile.origin, outer.type, now); !time)
        return std::move(time).error();
    return ApprovalPlan{profile.ra.trust.get()};
}

Judged<Approval> conclude_approval(const ra::cmp::PKIMessage& outer, const Profile& profile,
                                   const ApprovalFacts& facts) {
    if (!facts.chain) return untrusted(facts.chain.error(), outer.type);
    if (!facts.signature) return unverified(facts.signature.error());
    if (auto signer = check_signer(outer.header, *facts.chain->leaf, profile.origin); !signer)
        return std::move(signer).error();
    if (profile.ra.require_cmc_ra && !has_cmc_ra(*facts.chain->leaf)) {
        return refuse("nested", PKIFailureInfo::notAuthorized,
                      "the signer of nested lacks EKU cmcRA (R-082)");
    }
    return Access::approval(facts.chain->leaf);
}

}  // namespace policy
