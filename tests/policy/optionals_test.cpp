#include "ra/cmp/oids.h"
#include "tests/policy/rows.h"

/// The OPTIONALs of header, CRMF, certConf and genm, beside those of elements_test.cpp and
/// p10cr_rr_elements_test.cpp; tests/lint/optionals_test.py sees that none is without a case.

using namespace policy_test;

namespace {

/// What PKIHeader may hold, written by hand: each field as a content, absent where nullopt.
struct HeaderParts {
    std::optional<std::string> message_time = asn1::generalized_time(kNow);
    std::optional<Bytes> sender_kid = ra::to_bytes(Pki::get().device.sender_kid());
    std::optional<Bytes> recip_kid, recip_nonce, free_text, general_info;
    std::optional<Bytes> transaction_id = Bytes(16, 0x42);
    std::optional<Bytes> sender_nonce = Bytes(16, 0x17);
    std::uint8_t pvno = 2;
    bool with_extra_certs = true, with_protection = true;
};

/// A PKIMessage TLV of these parts around a body TLV, signed by the device.
Bytes message_with(const HeaderParts& parts, ByteView body) {
    const crypto::Credential& by = Pki::get().device;
    DerWriter header;
    {
        const auto all = header.open(Tag::sequence);
        header.integer(parts.pvno);
        header.raw(by.sender());
        header.raw(by.sender());
        const auto octets = [&header](unsigned number, const std::optional<Bytes>& content) {
            if (content) header.tlv(asn1::context(number), tlv(Tag::octet_string, *content));
        };
        if (parts.message_time) {
            header.tlv(asn1::context(0),
                       tlv(Tag::generalized_time, ra::as_bytes(*parts.message_time)));
        }
        if (parts.with_protection) header.tlv(asn1::context(1), by.key->algorithm());
        octets(2, parts.sender_kid);
        octets(3, parts.recip_kid);
        octets(4, parts.transaction_id);
        octets(5, parts.sender_nonce);
        octets(6, parts.recip_nonce);
        if (parts.free_text) header.tlv(asn1::context(7), tlv(Tag::sequence, *parts.free_text));
        if (parts.general_info)
            header.tlv(asn1::context(8), tlv(Tag::sequence, *parts.general_info));
    }
    Bytes protection;
    if (parts.with_protection)
        protection = by.key->sign(cmp::build_protected_part(header.view(), body)).value();
    return cmp::build_pki_message(header.view(), body, protection,
                                  parts.with_extra_certs ? by.certificate->der() : ByteView{});
}

struct HeaderRow {
    const char* name;
    std::function<void(HeaderParts&)> change;
    const char* rule;
    PKIFailureInfo info{};
};

Bytes cert_conf(ByteView status_info, ByteView hash_alg = {}) {
    const Bytes hash(32, 1);
    DerWriter body;
    {
        const auto outer = body.open(asn1::context(24));
        const auto list = body.open(Tag::sequence);
        const auto one = body.open(Tag::sequence);
        body.octet_string(hash);
        body.integer(0);
        body.raw(status_info);
        if (!hash_alg.empty()) body.tlv(asn1::context(0), hash_alg);
    }
    return std::move(body).take();
}

}  // namespace

TEST_SUITE("policy") {
    TEST_CASE("S-15: every OPTIONAL of header and message is judged or refused") {
        const std::string early = asn1::generalized_time(kNow - std::chrono::hours{1});
        const HeaderRow rows[] = {
            {"as it should be", [](HeaderParts&) {}, ""},
            {"PKIHeader.messageTime: absent", [](HeaderParts& p) { p.message_time.reset(); },
             "message-time", PKIFailureInfo::missingTimeStamp},
            {"PKIHeader.messageTime: old", [&](HeaderParts& p) { p.message_time = early; },
             "message-time", PKIFailureInfo::badTime},
            {"PKIHeader.protectionAlg: absent, and with it PKIMessage.protection",
             [](HeaderParts& p) { p.with_protection = false; }, "unprotected",
             PKIFailureInfo::badMessageCheck},
            {"PKIMessage.protection: absent", [](HeaderParts& p) { p.with_protection = false; },
             "unprotected", PKIFailureInfo::badMessageCheck},
            {"PKIMessage.extraCerts: absent", [](HeaderParts& p) { p.with_extra_certs = false; },
             "chain", PKIFailureInfo::signerNotTrusted},
            {"PKIHeader.senderKID: absent", [](HeaderParts& p) { p.sender_kid.reset(); }, ""},
            {"PKIHeader.senderKID: another's", [](HeaderParts& p) { p.sender_kid = Bytes(20, 9); },
             "sender-kid", PKIFailureInfo::badMessageCheck},
            {"PKIHeader.recipKID: tolerated (R-019)",
             [](HeaderParts& p) { p.recip_kid = Bytes(20, 9); }, ""},
            {"PKIHeader.transactionID: absent", [](HeaderParts& p) { p.transaction_id.reset(); },
             "transaction-id", PKIFailureInfo::badDataFormat},
            {"PKIHeader.senderNonce: absent", [](HeaderParts& p) { p.sender_nonce.reset(); },
             "sender-nonce", PKIFailureInfo::badSenderNonce},
            {"PKIHeader.recipNonce: in a first message",
             [](HeaderParts& p) { p.recip_nonce = Bytes(16, 3); }, "recip-nonce",
             PKIFailureInfo::badRecipientNonce},
            {"PKIHeader.freeText: tolerated (R-019)",
             [](HeaderParts& p) { p.free_text = tlv(Tag::utf8_string, ra::as_bytes("hello")); },
             ""},
            {"PKIHeader.generalInfo: unlisted",
             [](HeaderParts& p) {
                 p.general_info = pair(asn1::parse_dotted("1.2.3"), Bytes{0x05, 0x00});
             },
             "unlisted-element", PKIFailureInfo::badRequest},
            {"PKIHeader.generalInfo: unlisted, and InfoTypeAndValue.infoValue: absent",
             [](HeaderParts& p) { p.general_info = pair(asn1::parse_dotted("1.2.3"), {}); },
             "unlisted-element", PKIFailureInfo::badRequest},
        };
        for (const HeaderRow& row : rows) {
            CAPTURE(row.name);
            HeaderParts parts;
            row.change(parts);
            check(judged(message_with(parts, body_of({})), device_profile()), row.rule, row.info);
        }
    }

    TEST_CASE("S-15: every OPTIONAL of CRMF that is no element of the template") {
        const Row rows[] = {
            {"CertReqMsg.popo: absent",
             [](Request& r, Profile&) { r.popo = Request::Popo::absent; }, "pop",
             PKIFailureInfo::badPOP},
            {"CertReqMsg.popo: raVerified",
             [](Request& r, Profile&) { r.popo = Request::Popo::ra_verified; }, "ra-verified",
             PKIFailureInfo::notAuthorized},
            {"CertTemplate.publicKey: absent",
             [](Request& r, Profile&) {
                 r.without_key = true;
                 r.popo = Request::Popo::absent;
             },
             "central-key-generation", PKIFailureInfo::badCertTemplate},
            {"OptionalValidity.notBefore: long ago",
             [](Request& r, Profile&) { r.template_head = validity(kNow - kYear, {}); }, "validity",
             PKIFailureInfo::badCertTemplate},
            {"OptionalValidity.notAfter: too late",
             [](Request& r, Profile& p) {
                 p.rules.max_validity = kYear;
                 r.template_head = validity({}, kNow + 2 * kYear);
             },
             "validity", PKIFailureInfo::badCertTemplate},
        };
        check_rows(rows);
    }

    TEST_CASE("S-15: poposkInput is verified, and a MAC in it nobody here can") {
        // RFC 4211 4.1: the input is for templates without subject or key; what it holds has to be
        // what the message is about.
        const crypto::PrivateKey& key = *Pki::get().new_key;
        const auto ask = [&key](ByteView auth_info, const crypto::PrivateKey& named,
                                bool with_subject, bool with_key = true) {
            DerWriter made;
            {
                const auto all = made.open(Tag::sequence);
                if (with_subject) made.tlv(asn1::context(5), crypto::name_of("CN=dev1,O=Example"));
                if (with_key) {
                    Bytes spki = ra::to_bytes(key.spki());
                    spki[0] = 0xa6;
                    made.raw(spki);
                }
            }
            const Bytes cert_request = cmp::build_cert_request(0, made.view());
            DerWriter input;
            {
                const auto all = input.open(Tag::sequence);
                input.raw(auth_info);
                input.raw(named.spki());
            }
            Bytes tagged = ra::to_bytes(input.view());
            tagged[0] = 0xa0;
            DerWriter popo;
            {
                const auto choice = popo.open(asn1::context(1));
                popo.raw(tagged);
                popo.raw(key.algorithm());
                popo.bit_string(key.sign(input.view()).value());
            }
            Request request;
            request.body = cmp::build_cert_req_body(BodyType::ir, cert_request, popo.view());
            Profile profile = device_profile();
            profile.rules.subjects = {NamePattern::parse("*")};
            return judged(message_of(request), profile);
        };
        const Bytes sender = tlv(asn1::context(0), Pki::get().device.sender());
        const Bytes mac = [] {
            DerWriter writer;
            {
                const auto all = writer.open(Tag::sequence);
                {
                    const auto algorithm = writer.open(Tag::sequence);
                    writer.raw(oid_tlv("1.2.840.113533.7.66.13"));
                }
                writer.bit_string(Bytes(20, 1));
            }
            return std::move(writer).take();
        }();
        struct Input {
            const char* name;
            Decision got;
            const char* rule;
            PKIFailureInfo info;
        };
        const Input rows[] = {
            {"POPOSigningKey.poposkInput beside a whole template", ask(sender, key, true), "pop",
             PKIFailureInfo::badPOP},
            {"POPOSigningKeyInput.authInfo: publicKeyMAC", ask(mac, key, true), "pop",
             PKIFailureInfo::badPOP},
            {"POPOSigningKey.poposkInput of another key",
             ask(sender, *Pki::get().device.key, false), "pop", PKIFailureInfo::badPOP},
            {"POPOSigningKey.poposkInput without a key in the template",
             ask(sender, key, false, false), "pop", PKIFailureInfo::badPOP},
            {"POPOSigningKey.poposkInput verified: the subject is judged all the same",
             ask(sender, key, false), "subject", PKIFailureInfo::badCertTemplate},
        };
        for (const Input& row : rows) {
            CAPTURE(row.name);
            check(row.got, row.rule, row.info);
        }
    }

    TEST_CASE("S-15: every OPTIONAL of certConf and genm is judged or refused") {
        using cmp::PKIStatus;
        const auto status = [](PKIStatus one, std::optional<PKIFailureInfo> info = {},
                               std::string_view text = {}) {
            return cert_conf(cmp::build_status_info(one, info, text));
        };
        const Bytes sha256 = tlv(Tag::sequence, oid_tlv("2.16.840.1.101.3.4.2.1"));
        struct FollowUp {
            const char* name;
            Bytes body;
            std::uint8_t pvno;
            const char* rule;
            PKIFailureInfo info{};
        };
        const FollowUp rows[] = {
            {"CertStatus.statusInfo: absent", cert_conf({}), 2, ""},
            {"CertStatus.statusInfo: accepted", status(PKIStatus::accepted), 2, ""},
            {"CertStatus.statusInfo: rejection", status(PKIStatus::rejection), 2, ""},
            {"CertStatus.statusInfo: waiting", status(PKIStatus::waiting), 2, "cert-status",
             PKIFailureInfo::badRequest},
            {"CertStatus.statusInfo: grantedWithMods", status(PKIStatus::grantedWithMods), 2,
             "cert-status", PKIFailureInfo::badRequest},
            {"PKIStatusInfo.failInfo: with rejection",
             status(PKIStatus::rejection, PKIFailureInfo::badCertTemplate), 2, ""},
            {"PKIStatusInfo.failInfo: with accepted",
             status(PKIStatus::accepted, PKIFailureInfo::badCertTemplate), 2, "cert-status",
             PKIFailureInfo::badRequest},
            {"PKIStatusInfo.statusString: tolerated (R-019)",
             status(PKIStatus::rejection, {}, "no thanks"), 2, ""},
            {"CertStatus.hashAlg", cert_conf({}, sha256), 3, ""},
            {"CertStatus.hashAlg: with pvno 2", cert_conf({}, sha256), 2, "cert-status",
             PKIFailureInfo::badDataFormat},
        };
        for (const FollowUp& row : rows) {
            CAPTURE(row.name);
            HeaderParts parts;
            parts.recip_nonce = Bytes(16, 5);
            parts.pvno = row.pvno;
            check(judged(message_with(parts, row.body), device_profile()), row.rule, row.info);
        }

        // OpenSSL 3.3 and later repeat the certProfile of the request in its certConf.
        HeaderParts repeated;
        repeated.recip_nonce = Bytes(16, 5);
        DerWriter names;
        {
            const auto list = names.open(Tag::sequence);
            names.utf8("line-3");
        }
        repeated.general_info = pair(cmp::oid::kCertProfile.view(), names.view());
        Profile listing = device_profile();
        listing.match.cert_profiles = {"line-3"};
        check(judged(message_with(repeated, cert_conf({})), listing), "");
        listing.match.cert_profiles = {"line-4"};
        check(judged(message_with(repeated, cert_conf({})), listing), "cert-profile",
              PKIFailureInfo::unacceptedPolicy);

        const Bytes value{0x05, 0x00};
        const Row kinds[] = {
            {"InfoTypeAndValue.infoValue: caCerts",
             [&](Request& r, Profile&) {
                 r.body = cmp::build_genm_body(cmp::oid::kCaCerts.view(), value);
             },
             "genm-kind", PKIFailureInfo::badRequest},
            {"InfoTypeAndValue.infoValue: certReqTemplate",
             [&](Request& r, Profile&) {
                 r.body = cmp::build_genm_body(cmp::oid::kCertReqTemplate.view(), value);
             },
             "genm-kind", PKIFailureInfo::badRequest},
            {"InfoTypeAndValue.infoValue: rootCaCert",
             [&](Request& r, Profile&) {
                 r.body = cmp::build_genm_body(cmp::oid::kRootCaCert.view(),
                                               Pki::get().devices.cert->der());
             },
             ""},
        };
        check_rows(kinds);
    }
}
