#include "ra/gateway/responder.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "../../support/fake_clock.h"
#include "../../support/pki.h"
#include "ra/cmp/build.h"
#include "ra/cmp/oids.h"

using namespace ra;
using gateway::ResponderAuthority;
using test::Pki;

namespace {

constexpr std::uint8_t kId[16] = {1, 2, 3};

/// A pkiConf protected by this credential; null: not protected.
cmp::ParsedMessage answer_by(const crypto::Credential* credential, bool with_certificates = true) {
    cmp::HeaderFields fields;
    const Bytes sender = credential != nullptr ? credential->sender() : Bytes{};
    fields.sender = sender;
    fields.transaction_id = kId;
    fields.sender_nonce = kId;
    fields.recip_nonce = kId;
    if (credential != nullptr) {
        fields.protection_alg = credential->key->algorithm();
        fields.sender_kid = credential->sender_kid();
    }
    const Bytes header = cmp::build_header(fields);
    const Bytes body = cmp::build_pkiconf_body();
    Bytes der;
    if (credential == nullptr) {
        der = cmp::build_pki_message(header, body, {}, {});
    } else if (with_certificates) {
        der = *crypto::protect(*credential, header, body);
    } else {
        const Bytes signature = *credential->key->sign(cmp::build_protected_part(header, body));
        der = cmp::build_pki_message(header, body, signature, {});
    }
    return *cmp::ParsedMessage::parse(cmp::MessageBuffer{std::move(der)}, {});
}

}  // namespace

TEST_SUITE("ra/gateway") {
    TEST_CASE("S-12: a chain to the CA's root is no authority to answer for the CA") {
        const Pki& pki = Pki::get();
        const test::FakeClock clock{Pki::kNow};
        const crypto::Credential& device = *pki.devices.front().credential;

        ResponderAuthority by_eku;
        by_eku.trust = pki.trust;
        by_eku.ekus = {to_bytes(cmp::oid::kCmcCa.view())};
        ResponderAuthority by_pin;
        by_pin.trust = pki.trust;
        by_pin.pinned = {pki.responder->certificate};
        ResponderAuthority by_name;
        by_name.trust = pki.trust;
        by_name.names = {{to_bytes(pki.responder->certificate->view().issuer),
                          to_bytes(pki.responder->certificate->subject())}};
        ResponderAuthority nobody;
        nobody.trust = pki.trust;

        struct Row {
            const char* name;
            const ResponderAuthority& authority;
            const crypto::Credential* credential;
            std::string_view want;  // rule; empty: accepted
        };
        const Row rows[] = {
            {"responder by EKU", by_eku, pki.responder.get(), ""},
            {"responder by pin", by_pin, pki.responder.get(), ""},
            {"responder by name", by_name, pki.responder.get(), ""},
            {"no authority configured", nobody, pki.responder.get(), "responder-authority"},
            {"the gateway's own certificate", by_pin, pki.gateway.get(), "responder-authority"},
            {"a stranger", by_eku, pki.stranger.get(), "responder-trust"},
            {"unprotected", by_eku, nullptr, "responder-protection"},
            {"a device by EKU", by_eku, &device, "responder-authority"},
            {"a device by name", by_name, &device, "responder-authority"},
        };
        for (const Row& row : rows) {
            CAPTURE(row.name);
            crypto::ChainVerifier chains{clock};
            const auto answer = answer_by(row.credential);
            const auto verified =
                gateway::verify_responder(answer.message(), row.authority, nullptr, chains);
            REQUIRE(verified.has_value() == row.want.empty());
            if (verified) {
                CHECK(verified->certificate->digest() == pki.responder->certificate->digest());
            } else {
                const auto fault = std::get<gateway::UpstreamFault>(verified.error());
                // A device's root may not even be this upstream's: either way it does not answer.
                const bool named = fault.rule == row.want || fault.rule == "responder-trust";
                CHECK(named);
            }
        }
    }

    TEST_CASE("R-021: later answers come from the certificate of the first") {
        const Pki& pki = Pki::get();
        const test::FakeClock clock{Pki::kNow};
        ResponderAuthority authority;
        authority.trust = pki.trust;
        authority.pinned = {pki.responder->certificate, pki.gateway->certificate};
        crypto::ChainVerifier chains{clock};

        const auto first = answer_by(pki.responder.get());
        CHECK(gateway::verify_responder(first.message(), authority, pki.responder->certificate,
                                        chains)
                  .has_value());
        const auto bare = answer_by(pki.responder.get(), false);
        CHECK(
            gateway::verify_responder(bare.message(), authority, pki.responder->certificate, chains)
                .has_value());
        const auto without = gateway::verify_responder(bare.message(), authority, nullptr, chains);
        REQUIRE_FALSE(without.has_value());
        CHECK(std::get<gateway::UpstreamFault>(without.error()).rule == "responder-trust");
        const auto other = answer_by(pki.gateway.get());
        const auto changed = gateway::verify_responder(other.message(), authority,
                                                       pki.responder->certificate, chains);
        REQUIRE_FALSE(changed.has_value());
        const std::string_view rule = std::get<gateway::UpstreamFault>(changed.error()).rule;
        const bool refused = rule == "responder-changed" || rule == "responder-trust";
        CHECK(refused);
    }

    TEST_CASE("An answer changed on the way does not verify") {
        const Pki& pki = Pki::get();
        const test::FakeClock clock{Pki::kNow};
        ResponderAuthority authority;
        authority.trust = pki.trust;
        authority.pinned = {pki.responder->certificate};
        Bytes der = to_bytes(answer_by(pki.responder.get()).der());
        const ByteView id{kId};
        const auto at = std::search(der.begin(), der.end(), id.begin(), id.end());
        REQUIRE(at != der.end());
        *at ^= 1;
        const auto answer = cmp::ParsedMessage::parse(cmp::MessageBuffer{std::move(der)}, {});
        REQUIRE(answer.has_value());
        crypto::ChainVerifier chains{clock};
        const auto verified =
            gateway::verify_responder(answer->message(), authority, nullptr, chains);
        REQUIRE_FALSE(verified.has_value());
        CHECK(std::get<gateway::UpstreamFault>(verified.error()).rule == "responder-signature");
    }
}
