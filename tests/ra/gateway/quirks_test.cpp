#include "ra/gateway/quirks.h"

#include <doctest/doctest.h>

#include "ra/cmp/build.h"
#include "ra/cmp/oids.h"
#include "ra/gateway/match.h"
#include "ra/gateway/responder.h"
#include "tests/support/fake_clock.h"
#include "tests/support/pki.h"

using namespace ra;
using cmp::BodyType;
using cmp::PKIFailureInfo;
using cmp::PKIStatus;
using gateway::Quirk;
using gateway::State;
using test::Pki;

namespace {

constexpr std::uint8_t kId[16] = {1, 2, 3};
constexpr std::uint8_t kNonce[16] = {4, 5, 6};

/// What one CA answers, and how.
struct Said {
    BodyType asked = BodyType::ir;
    Bytes body;
    crypto::CredentialPtr by = Pki::get().responder;  // null: unprotected
    std::uint8_t pvno = 2;
    Bytes sender;      // empty: the signer's
    Bytes sender_kid;  // empty: the signer's
};

Bytes message(const Said& said) {
    cmp::HeaderFields fields;
    fields.pvno = said.pvno;
    const Bytes sender = !said.sender.empty() ? said.sender
                         : said.by != nullptr ? said.by->sender()
                                              : Pki::get().responder->sender();
    fields.sender = sender;
    fields.transaction_id = kId;
    fields.sender_nonce = kNonce;
    fields.recip_nonce = kId;
    if (said.by == nullptr)
        return cmp::build_pki_message(cmp::build_header(fields), said.body, {}, {});
    fields.protection_alg = said.by->key->algorithm();
    fields.sender_kid = said.sender_kid.empty() ? said.by->sender_kid() : said.sender_kid;
    return crypto::protect(*said.by, cmp::build_header(fields), said.body).value();
}

Bytes status(PKIStatus value) {
    const bool no = value == PKIStatus::rejection;
    return cmp::build_status_info(
        value, no ? std::optional{PKIFailureInfo::badRequest} : std::nullopt, {});
}
Bytes error_with(PKIStatus value) { return cmp::build_error_body(status(value)); }
Bytes ip_with(PKIStatus value) { return cmp::build_cert_rep_body(BodyType::ip, 0, status(value)); }
/// The certificate that the first device of Pki asked for.
Bytes certificate(BodyType type, ByteView ca_pubs = {}) {
    return cmp::build_cert_rep_body(type, 0, status(PKIStatus::accepted),
                                    Pki::get().devices[0].issued, ca_pubs);
}

/// A CA's signer of its own kind, under the root.
crypto::CredentialPtr signer_with(std::uint16_t key_usage) {
    const Pki& pki = Pki::get();
    auto made = std::make_shared<crypto::Credential>();
    made->name = "CA";
    made->key = crypto::PrivateKey::generate("ec:P-256");
    const Bytes issuer = to_bytes(pki.root->subject()), subject = crypto::name_of("CN=Odd CA");
    const std::uint8_t serial[] = {0x02, 0x01};
    Bytes extensions = crypto::subject_key_id_extension(made->key->spki());
    append(extensions, crypto::key_usage_extension(key_usage));
    append(extensions, crypto::ext_key_usage_extension({cmp::oid::kCmcCa.view()}));
    const Bytes der = crypto::build_certificate(
                          {serial, issuer, subject, Pki::kNow - std::chrono::hours{24},
                           Pki::kNow + std::chrono::hours{24}, made->key->spki(), extensions},
                          *pki.root_key)
                          .value();
    made->certificate = crypto::Certificate::parse(der).value();
    made->chain = {made->certificate};
    return made;
}

gateway::Outcome<gateway::MatchedResponse> match(const Said& said, gateway::Quirks quirks) {
    const Pki& pki = Pki::get();
    const test::FakeClock clock{Pki::kNow};
    crypto::ChainVerifier chains{clock};
    gateway::UpstreamSettings upstream;
    upstream.responder.trust = pki.trust;
    upstream.responder.ekus = {to_bytes(cmp::oid::kCmcCa.view())};
    upstream.quirks = quirks;
    gateway::Record record;
    record.verified = true;
    record.request_type = said.asked == BodyType::certConf ? BodyType::ir : said.asked;
    cmp::HeaderFields fields;
    fields.transaction_id = kId;
    fields.sender_nonce = kId;
    record.request = std::make_shared<const Bytes>(
        cmp::build_pki_message(cmp::build_header(fields), pki.devices[0].request, {}, {}));
    const policy::Profile profile;
    const gateway::Asked asked{said.asked, record, kId, kId, profile, upstream, {}};
    const gateway::Settings settings;
    return gateway::match_response(message(said), asked, settings, chains);
}

gateway::Quirks all_quirks() {
    gateway::Quirks all;
    for (std::size_t i = 0; i < gateway::kQuirks; ++i) all.add(static_cast<Quirk>(i));
    return all;
}

gateway::UpstreamFault fault_of(const gateway::Outcome<gateway::MatchedResponse>& outcome) {
    return std::get<gateway::UpstreamFault>(outcome.error());
}

constexpr std::uint16_t kKeyAgreementOnly = 1U << 4U;

}  // namespace

TEST_SUITE("ra/gateway") {
    TEST_CASE("quirks: what a CA does otherwise is refused, and let pass where its switch is set") {
        const Bytes other = cmp::general_name(crypto::name_of("CN=Somebody"));
        const std::uint8_t kid[] = {9, 9, 9};
        struct Row {
            std::string_view name;
            Quirk quirk;
            std::string_view rule;
            Said said;
            bool refused = false;   // the CA's definite no
            bool doubtful = false;  // it may have issued
        };
        const Row rows[] = {
            {"error with pvno 1",
             Quirk::pvno_1_error,
             "answer-pvno",
             {BodyType::ir, error_with(PKIStatus::rejection), Pki::get().responder, 1, {}, {}},
             true},
            {"signer without digitalSignature",
             Quirk::no_digital_signature,
             "responder-key-usage",
             {BodyType::ir, certificate(BodyType::ip), signer_with(kKeyAgreementOnly), 2, {}, {}}},
            {"sender is somebody",
             Quirk::sender_mismatch,
             "responder-sender",
             {BodyType::ir, certificate(BodyType::ip), Pki::get().responder, 2, other, {}}},
            {"senderKID of another key",
             Quirk::sender_kid_mismatch,
             "responder-sender-kid",
             {BodyType::ir, certificate(BodyType::ip), Pki::get().responder, 2, {}, to_bytes(kid)}},
            {"error, unprotected",
             Quirk::unprotected_refusal,
             "responder-protection",
             {BodyType::ir, error_with(PKIStatus::rejection), nullptr, 2, {}, {}},
             false,
             true},
            {"rejection, unprotected",
             Quirk::unprotected_refusal,
             "responder-protection",
             {BodyType::ir, ip_with(PKIStatus::rejection), nullptr, 2, {}, {}},
             false,
             true},
            {"rp with rejection, unprotected",
             Quirk::unprotected_refusal,
             "responder-protection",
             {BodyType::rr,
              cmp::build_rev_rep_body(status(PKIStatus::rejection)),
              nullptr,
              2,
              {},
              {}}},
            {"error to certConf, unprotected",
             Quirk::unprotected_refusal,
             "responder-protection",
             {BodyType::certConf, error_with(PKIStatus::rejection), nullptr, 2, {}, {}}},
            {"pkiConf, unprotected",
             Quirk::unprotected_pkiconf,
             "responder-protection",
             {BodyType::certConf, cmp::build_pkiconf_body(), nullptr, 2, {}, {}}},
        };
        for (const Row& row : rows) {
            CAPTURE(row.name);
            // Without it, and with all the others.
            gateway::Quirks others;
            for (std::size_t i = 0; i < gateway::kQuirks; ++i) {
                if (static_cast<Quirk>(i) != row.quirk) others.add(static_cast<Quirk>(i));
            }
            for (const gateway::Quirks& quirks : {gateway::Quirks{}, others}) {
                const auto refused = match(row.said, quirks);
                REQUIRE_FALSE(refused.has_value());
                CHECK(fault_of(refused).rule == row.rule);
            }
            if (const auto named = gateway::quirk_for(row.rule)) CHECK(*named == row.quirk);

            gateway::Quirks only;
            only.add(row.quirk);
            const auto taken = match(row.said, only);
            if (!taken) CAPTURE(fault_of(taken).detail);
            REQUIRE(taken.has_value());
            CHECK(taken->quirks == only);  // counted
            CHECK(taken->refused == row.refused);
            CHECK(taken->doubtful == row.doubtful);
        }
    }

    TEST_CASE("quirks: S-12, S-13: no set of them lets pass what would give something out") {
        const Pki& pki = Pki::get();
        struct Row {
            std::string_view name;
            std::string_view rule;
            Said said;
        };
        const Row rows[] = {
            {"a certificate, unprotected",
             "responder-protection",
             {BodyType::ir, certificate(BodyType::ip), nullptr, 2, {}, {}}},
            {"waiting, unprotected",
             "responder-protection",
             {BodyType::ir, ip_with(PKIStatus::waiting), nullptr, 2, {}, {}}},
            {"error that says waiting, unprotected",
             "responder-protection",
             {BodyType::ir, error_with(PKIStatus::waiting), nullptr, 2, {}, {}}},
            {"revoked, unprotected",
             "responder-protection",
             {BodyType::rr,
              cmp::build_rev_rep_body(status(PKIStatus::accepted)),
              nullptr,
              2,
              {},
              {}}},
            {"a certificate with pvno 1",
             "answer-pvno",
             {BodyType::ir, certificate(BodyType::ip), pki.responder, 1, {}, {}}},
            {"error with pvno 0",
             "answer-pvno",
             {BodyType::ir, error_with(PKIStatus::rejection), pki.responder, 0, {}, {}}},
            {"a device's certificate",
             "responder-authority",
             {BodyType::ir, certificate(BodyType::ip), pki.devices[1].credential, 2, {}, {}}},
            {"a stranger's",
             "responder-trust",
             {BodyType::ir, certificate(BodyType::ip), pki.stranger, 2, {}, {}}},
            {"caPubs that are not listed",
             "answer-ca-pubs",
             {BodyType::ir, certificate(BodyType::ip, pki.root->der()), pki.responder, 2, {}, {}}},
        };
        for (const Row& row : rows) {
            CAPTURE(row.name);
            const auto refused = match(row.said, all_quirks());
            REQUIRE_FALSE(refused.has_value());
            CHECK(fault_of(refused).rule == row.rule);
        }
    }

    TEST_CASE("quirks: what is in order is taken as ever, and nothing is counted") {
        const auto taken =
            match({BodyType::ir, certificate(BodyType::ip), Pki::get().responder, 2, {}, {}},
                  all_quirks());
        REQUIRE(taken.has_value());
        CHECK_FALSE(taken->quirks.any());
        CHECK(taken->next == State::expects_certconf);
        const Said nobody{BodyType::ir,
                          certificate(BodyType::ip),
                          Pki::get().responder,
                          2,
                          cmp::general_name(crypto::name_of("")),
                          {}};
        CHECK(match(nobody, {}).has_value());  // NULL-DN: the senderKID says who
    }
}
