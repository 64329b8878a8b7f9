#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "policy/access.h"
#include "policy/pipeline.h"
#include "ra/asn1/der_writer.h"
#include "ra/cmp/build.h"
#include "ra/cmp/oids.h"
#include "ra/crypto/protection.h"
#include "ra/crypto/signer.h"

/// A small PKI, requests with every field in reach, and the stages run one after another.
namespace policy_test {

using namespace policy;
using ra::Bytes;
using ra::ByteView;
using ra::asn1::DerWriter;
using ra::asn1::Tag;
namespace asn1 = ra::asn1;
namespace cmp = ra::cmp;
namespace crypto = ra::crypto;

inline constexpr ra::WallTime kNow{std::chrono::seconds{1'790'000'000}};
inline constexpr std::chrono::hours kYear{24 * 365};

inline crypto::CertificatePtr certificate(std::string_view subject, ByteView spki,
                                          std::string_view issuer,
                                          const crypto::PrivateKey& issuer_key, Bytes more = {},
                                          bool ca = false,
                                          std::uint16_t usage = kDigitalSignature) {
    static std::uint8_t last = 0;
    const std::uint8_t serial[] = {0x11, ++last};
    Bytes extensions = crypto::subject_key_id_extension(spki);
    ra::append(extensions,
               crypto::key_usage_extension(ca ? std::uint16_t{kKeyCertSign | kCrlSign} : usage));
    if (ca) ra::append(extensions, crypto::basic_constraints_extension(true));
    ra::append(extensions, more);
    const Bytes issuer_name = crypto::name_of(issuer), subject_name = crypto::name_of(subject);
    const crypto::CertificateFields fields{serial,       issuer_name, subject_name, kNow - kYear,
                                           kNow + kYear, spki,        extensions};
    return crypto::Certificate::parse(crypto::build_certificate(fields, issuer_key).value())
        .value();
}

struct Root {
    std::string name;
    crypto::PrivateKeyPtr key = crypto::PrivateKey::generate("ec:P-256");
    crypto::CertificatePtr cert = certificate(name, key->spki(), name, *key, {}, true);
    crypto::TrustStorePtr trust = crypto::TrustStore::of({cert});

    [[nodiscard]] crypto::Credential issue(std::string_view subject, Bytes more = {},
                                           std::uint16_t usage = kDigitalSignature) const {
        crypto::Credential made;
        made.key = crypto::PrivateKey::generate("ec:P-256");
        made.certificate =
            certificate(subject, made.key->spki(), name, *key, std::move(more), false, usage);
        made.chain = {made.certificate};
        return made;
    }
};

/// Extension TLV.
inline Bytes extension(const asn1::Oid& id, ByteView value) {
    DerWriter writer;
    {
        const auto all = writer.open(Tag::sequence);
        writer.oid(id.view());
        writer.octet_string(value);
    }
    return std::move(writer).take();
}
inline constexpr asn1::Oid kSan = asn1::oid("2.5.29.17");
/// subjectAltName with one GeneralName [choice].
inline Bytes san(unsigned choice, ByteView content) {
    DerWriter writer;
    {
        const auto names = writer.open(Tag::sequence);
        writer.tlv(asn1::context_primitive(choice), content);
    }
    return extension(kSan, writer.view());
}
inline Bytes san_dns(std::string_view name) { return san(2, ra::as_bytes(name)); }

/// AttributeTypeAndValue or InfoTypeAndValue TLV.
inline Bytes pair(ByteView type, ByteView value) {
    DerWriter writer;
    {
        const auto all = writer.open(Tag::sequence);
        writer.oid(type);
        writer.raw(value);
    }
    return std::move(writer).take();
}
inline Bytes tlv(Tag tag, ByteView content) {
    DerWriter writer;
    writer.tlv(tag, content);
    return std::move(writer).take();
}

struct Pki {
    Root devices{"CN=Device Root,O=Example"};
    Root ras{"CN=RA Root,O=Example"};
    Root foreign{"CN=Foreign Root,O=Elsewhere"};
    crypto::Credential device = devices.issue("CN=dev1,O=Example");
    crypto::Credential other = devices.issue("CN=dev2,O=Example");
    crypto::Credential no_signing = devices.issue("CN=dev3,O=Example", {}, kKeyAgreement);
    crypto::Credential stranger = foreign.issue("CN=dev1,O=Example");
    crypto::Credential ra =
        ras.issue("CN=RA,O=Example", crypto::ext_key_usage_extension({cmp::oid::kCmcRa.view()}));
    crypto::Credential ra_without_eku = ras.issue("CN=RA2,O=Example");
    /// A device whose manufacturer put cmcRA into its certificate (S-11).
    crypto::Credential posing = devices.issue(
        "CN=dev9,O=Example", crypto::ext_key_usage_extension({cmp::oid::kCmcRa.view()}));
    crypto::PrivateKeyPtr new_key = crypto::PrivateKey::generate("ec:P-256");

    static const Pki& get() {
        static const Pki pki;
        return pki;
    }
};

inline Profile device_profile() {
    Profile profile;
    profile.name = "devices";
    profile.origin.trust = Pki::get().devices.trust;
    profile.rules.keys = {KeyPattern::parse("ec:P-256")};
    profile.upstream = "ca";
    return profile;
}

/// A request for a certificate, every part replaceable.
struct Request {
    BodyType type = BodyType::ir;
    const crypto::Credential* by = &Pki::get().device;
    std::string subject = "CN=dev1,O=Example";
    Bytes subject_der;    // instead of subject
    Bytes template_head;  // TLVs of tags [0]..[4]
    Bytes template_uids;  // TLVs of tags [7], [8]
    bool without_subject = false;
    bool without_key = false;
    Bytes extensions;  // Extension TLVs
    Bytes controls, reg_info;
    std::int64_t id = 0;
    enum class Popo { signature, absent, ra_verified, bad_signature, later } popo = Popo::signature;
    unsigned count = 1;
    Bytes general_info;
    bool implicit_confirm = false;
    std::optional<ra::WallTime> time = kNow;
    Bytes body;  // instead of all above
    ByteView sender_kid_override;
    Bytes sender_override;
    Bytes recip_nonce;
    std::uint8_t pvno = 2;
};

inline Bytes body_of(const Request& request) {
    if (!request.body.empty()) return request.body;
    const crypto::PrivateKey& key = *Pki::get().new_key;
    DerWriter made;
    {
        const auto all = made.open(Tag::sequence);
        made.raw(request.template_head);
        if (!request.without_subject) {
            made.tlv(asn1::context(5), request.subject_der.empty()
                                           ? crypto::name_of(request.subject)
                                           : request.subject_der);
        }
        if (!request.without_key) {
            Bytes spki = ra::to_bytes(key.spki());
            spki[0] = 0xa6;
            made.raw(spki);
        }
        made.raw(request.template_uids);
        if (!request.extensions.empty()) made.tlv(asn1::context(9), request.extensions);
    }
    const Bytes cert_request = cmp::build_cert_request(request.id, made.view(), request.controls);
    Bytes popo;
    switch (request.popo) {
        case Request::Popo::absent:
            break;
        case Request::Popo::ra_verified:
            popo = {0x80, 0x00};
            break;
        case Request::Popo::later:
            popo = {0xa2, 0x03, 0x81, 0x01, 0x00};
            break;
        case Request::Popo::signature:
        case Request::Popo::bad_signature: {
            Bytes over = cert_request;
            if (request.popo == Request::Popo::bad_signature) over.back() ^= 1U;
            const Bytes signature = key.sign(over).value();
            DerWriter writer;
            {
                const auto choice = writer.open(asn1::context(1));
                writer.raw(key.algorithm());
                writer.bit_string(signature);
            }
            popo = std::move(writer).take();
        }
    }
    DerWriter body;
    {
        const auto outer = body.open(asn1::context(static_cast<unsigned>(request.type)));
        const auto messages = body.open(Tag::sequence);
        for (unsigned i = 0; i < request.count; ++i) {
            const auto message = body.open(Tag::sequence);
            body.raw(cert_request);
            body.raw(popo);
            if (!request.reg_info.empty()) body.tlv(Tag::sequence, request.reg_info);
        }
    }
    return std::move(body).take();
}

inline Bytes message_of(const Request& request) {
    const Bytes id(16, 0x42), nonce(16, 0x17);
    const Bytes sender =
        request.sender_override.empty() ? request.by->sender() : request.sender_override;
    cmp::HeaderFields fields;
    fields.pvno = request.pvno;
    fields.sender = sender;
    fields.message_time = request.time;
    fields.protection_alg = request.by->key->algorithm();
    fields.sender_kid = request.sender_kid_override.empty() ? request.by->sender_kid()
                                                            : request.sender_kid_override;
    fields.transaction_id = id;
    fields.sender_nonce = nonce;
    fields.recip_nonce = request.recip_nonce;
    fields.implicit_confirm = request.implicit_confirm;
    fields.extra_general_info = request.general_info;
    return crypto::protect(*request.by, cmp::build_header(fields), body_of(request)).value();
}

inline ra::cmp::ParsedMessage parsed(Bytes der) {
    auto message = cmp::ParsedMessage::parse(cmp::MessageBuffer{std::move(der)}, {});
    if (!message)
        FAIL("does not parse: " << std::string(message.error().field) << " "
                                << std::string(to_string(message.error().code)));
    return std::move(*message);
}

struct FixedClock final : ra::Clock {
    [[nodiscard]] ra::WallTime wall_now() const noexcept override { return kNow; }
    [[nodiscard]] ra::BootTime boot_now() const noexcept override {
        return ra::BootTime{std::chrono::hours{1}};
    }
};

/// The message through select, origin and POP.
inline Judged<ProvenRequest> proven(Bytes der, const Profile& profile, ArrivalFacts facts = {}) {
    const std::vector<ProfilePtr> profiles{std::make_shared<const Profile>(profile)};
    auto message = parsed(std::move(der));
    if (auto header = check_header(message.message(), {}); !header)
        return std::move(header).error();
    auto selected = select(std::move(message), facts, profiles, nullptr);
    if (!selected) return std::move(selected).error();
    const auto plan = plan_origin(*selected, kNow);
    if (!plan) return plan.error();
    OriginFacts origin;
    if (plan->kind == OriginPlan::Kind::signature) {
        const FixedClock clock;
        crypto::ChainVerifier chains{clock};
        const ByteView certs = selected->message().extra_certs;
        origin.chain = chains.verify(*plan->trust, certs);
        if (plan->ra_trust != nullptr) origin.ra_chain = chains.verify(*plan->ra_trust, certs);
        const auto& chain = origin.chain ? origin.chain : origin.ra_chain;
        if (chain)
            origin.signature =
                crypto::verify_signature_protection(selected->message(), chain->leaf->key());
    }
    auto authentic = conclude_origin(std::move(*selected), *plan, origin, facts.listener);
    if (!authentic) return std::move(authentic).error();
    return prove(std::move(*authentic), {});
}

/// The message through all stages.
inline Decision judged(Bytes der, const Profile& profile, ArrivalFacts facts = {}) {
    auto request = proven(std::move(der), profile, facts);
    if (!request) return std::move(request).error();
    return decide(*request, kNow);
}

/// Checks that `decision` refuses by `rule` with `info`; rule "": that it permits.
inline void check(const Decision& decision, std::string_view rule, PKIFailureInfo info = {}) {
    const auto* refuse = std::get_if<Refuse>(&decision);
    const std::string detail = refuse == nullptr ? "" : refuse->detail;
    CAPTURE(detail);
    CHECK(std::string(refuse == nullptr ? "" : refuse->rule) == std::string(rule));
    if (refuse != nullptr && !rule.empty())
        CHECK(std::string(to_string(refuse->fail_info)) == std::string(to_string(info)));
}

}  // namespace policy_test
