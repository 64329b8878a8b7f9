#include "tests/ra/gateway/hops.h"

using namespace hops;

namespace {

/// Two gateways in a row: the first nests, the second takes RAs' approval.
struct Chain {
    explicit Chain(Treatment second) {
        auto outer = device_profile();
        outer->treatments.otherwise = second;
        outer->ra.trust = RaPki::get().trust;
        outer->ra.nested = true;
        profile = outer;
        far = site.hop(site.ca, far_own, outer);
        auto inner = device_profile();
        inner->treatments.otherwise = Treatment::nest;
        near = site.hop(*far->gateway, near_own, inner);
    }
    Site site;
    std::shared_ptr<policy::Profile> profile;  // of the second
    crypto::CredentialPtr near_own = RaPki::get().ra("CN=Gateway near,O=Example");
    crypto::CredentialPtr far_own = RaPki::get().ra("CN=Gateway far,O=Example");
    std::unique_ptr<Hop> near, far;
    Device device{site.clock, Pki::get().devices.front().credential};

    [[nodiscard]] Bytes request(BodyType type = BodyType::ir) const {
        return cert_request(type, *Pki::get().devices.front().new_key,
                            device.own().certificate->subject());
    }
};

/// A nested single around `inner`.
Bytes nest(ByteView inner, const crypto::Credential& by, WallTime now) {
    const auto message = cmp::parse_pki_message(inner, {}).value();
    crypto::Unprotected out;
    const Bytes prefix = cmp::nested_body_prefix(inner.size());
    out.header.message_time = now;
    out.header.transaction_id = *message.header.transaction_id;
    out.header.sender_nonce = *message.header.sender_nonce;
    out.body = {prefix, inner};
    return crypto::sign_message(by, out).value();
}

}  // namespace

TEST_SUITE("ra/gateway") {
    TEST_CASE("S-11: a device, an RA that nests, an RA that takes it, a CA: every way on") {
        struct Row {
            Treatment second;
            bool bare;         // the CA's answer reaches the device as it was
            BodyType arrives;  // what the CA saw
        };
        const Row rows[] = {
            {Treatment::forward, true, BodyType::nested},
            {Treatment::unwrap, true, BodyType::ir},
            {Treatment::nest, true, BodyType::nested},
            {Treatment::reprotect, false, BodyType::ir},
        };
        for (const Row& row : rows) {
            CAPTURE(to_string(row.second));
            Chain chain{row.second};
            const Heard got = chain.device.begin(*chain.near->gateway, chain.request());
            REQUIRE(got.type() == BodyType::ip);
            REQUIRE(got.status().status == PKIStatus::accepted);
            const Heard arrived{chain.far->tap.up.back()};
            CHECK(arrived.type() == row.arrives);
            if (row.second == Treatment::forward) CHECK(arrived.der == chain.near->tap.up.back());
            if (row.second == Treatment::unwrap) CHECK(arrived.der == chain.device.sent);
            if (row.second == Treatment::nest) {
                CHECK(arrived.signed_by(*chain.far_own));
                const auto inner = cmp::parse_nested(arrived.message->content, 0, {}).value();
                CHECK(to_bytes(inner.at(0).whole) == chain.device.sent);
            }
            CHECK((got.der == chain.far->tap.down.back()) == row.bare);
            CHECK(got.der == chain.near->tap.down.back());

            // The principal is the device; the RA is a second fact.
            REQUIRE(chain.far->audit.approver != nullptr);
            CHECK(chain.far->audit.approver->digest() == chain.near_own->certificate->digest());
            CHECK(chain.far->audit.principal == chain.near->audit.principal);
            CHECK(chain.far->audit.request == BodyType::ir);

            const Heard done = chain.device.next(*chain.near->gateway, confirm(got.certificate()));
            CHECK(done.type() == BodyType::pkiconf);
        }
    }

    TEST_CASE("nested: on the path of the inner operation, and on that of nested") {
        for (const Operation at : {Operation::ir, Operation::nested, Operation::unspecified}) {
            Chain chain{Treatment::unwrap};
            const Bytes inner = chain.device.build(chain.request());
            const Heard got = chain.device.deliver(*chain.far->gateway,
                                                   nest(inner, *chain.near_own, Pki::kNow), at);
            CHECK(got.type() == BodyType::ip);
        }
        Chain chain{Treatment::unwrap};
        const Bytes inner = chain.device.build(chain.request());
        const Heard got = chain.device.deliver(
            *chain.far->gateway, nest(inner, *chain.near_own, Pki::kNow), Operation::kur);
        CHECK(got.refused_for(PKIFailureInfo::badRequest));
        CHECK(chain.far->audit.rule == "operation-mismatch");
    }

    TEST_CASE(
        "S-11: nested by whom the profile does not take; the nested message is answered (R-043)") {
        struct Row {
            const char* name;
            crypto::CredentialPtr by;
            const char* rule;
            PKIFailureInfo info;
        };
        const Pki& pki = Pki::get();
        const auto posing = credential("CN=posing,O=Example", "CN=Test Root,O=Example",
                                       *pki.root_key, {cmp::oid::kCmcRa.view()});
        const auto no_eku = credential("CN=no eku,O=Example", RaPki::kRoot, *RaPki::get().root_key);
        const Row rows[] = {
            {"a device", pki.devices[1].credential, "chain", PKIFailureInfo::signerNotTrusted},
            {"a device with cmcRA from its maker", posing, "chain",
             PKIFailureInfo::signerNotTrusted},
            {"under the RAs' root without cmcRA", no_eku, "nested", PKIFailureInfo::notAuthorized},
            {"a stranger", pki.stranger, "chain", PKIFailureInfo::signerNotTrusted},
        };
        for (const Row& row : rows) {
            CAPTURE(row.name);
            Chain chain{Treatment::unwrap};
            const Bytes inner = chain.device.build(chain.request());
            const Heard got =
                chain.device.deliver(*chain.far->gateway, nest(inner, *row.by, Pki::kNow));
            CHECK(got.type() == BodyType::error);
            CHECK(got.refused_for(row.info));
            CHECK(to_bytes(got.header().recipient) == row.by->sender());
            CHECK(chain.far->audit.rule == row.rule);
            CHECK(chain.far->tap.up.empty());
        }
    }

    TEST_CASE("S-11: the profile does not take nested at all") {
        Chain chain{Treatment::unwrap};
        chain.profile->ra.nested = false;
        const Heard got = chain.device.begin(*chain.near->gateway, chain.request());
        // The near gateway does not believe an error from somebody it did not ask for: it is signed
        // by the far one, which may answer.
        CHECK(got.type() == BodyType::error);
        CHECK(got.refused_for(PKIFailureInfo::notAuthorized));
        CHECK(chain.far->audit.rule == "nested");
    }

    TEST_CASE("S-11: raVerified in the approved message is its own signer's claim (R-085)") {
        Chain chain{Treatment::reprotect};
        chain.profile->ra.ra_verified = true;
        const Bytes subject = to_bytes(chain.device.own().certificate->subject());
        const auto key = Pki::get().devices.front().new_key;
        const Bytes wanted =
            cmp::build_cert_request(0, cmp::build_cert_template(subject, key->spki()));
        const Bytes ra_verified{0x80, 0x00};
        const Bytes body = cmp::build_cert_req_body(BodyType::ir, wanted, ra_verified);
        SUBCASE("of a device: refused, to the device") {
            const Bytes inner = chain.device.build(body);
            const Heard got =
                chain.device.deliver(*chain.far->gateway, nest(inner, *chain.near_own, Pki::kNow));
            CHECK(got.type() == BodyType::ip);
            CHECK(got.refused_for(PKIFailureInfo::notAuthorized));
            CHECK(to_bytes(got.header().recipient) == chain.device.own().sender());
            CHECK(chain.far->audit.rule == "ra-verified");
        }
        SUBCASE("of an RA: taken") {
            chain.profile->ra.any_subject = true;
            chain.profile->rules.subjects = {
                policy::NamePattern::parse("CN=${sender.CN},O=Example")};
            Device ra{chain.site.clock, RaPki::get().ra("CN=Local RA,O=Example")};
            const Bytes inner = ra.build(body);
            const Heard got =
                ra.deliver(*chain.far->gateway, nest(inner, *chain.near_own, Pki::kNow));
            CHECK(got.type() == BodyType::ip);
            CHECK(got.status().status == PKIStatus::accepted);
        }
    }

    TEST_CASE("nested: a fault of the message in it is answered to the device, not nested") {
        Chain chain{Treatment::nest};
        const Bytes body = cert_request(BodyType::ir, *Pki::get().devices.front().new_key,
                                        crypto::name_of("CN=somebody else,O=Example"));
        const Bytes inner = chain.device.build(body);
        const Heard got =
            chain.device.deliver(*chain.far->gateway, nest(inner, *chain.near_own, Pki::kNow));
        CHECK(got.type() == BodyType::ip);
        CHECK(to_bytes(got.header().recipient) == chain.device.own().sender());
        CHECK(chain.far->audit.rule == "subject");
    }

    TEST_CASE("S-11: an approval does not help a message its own signer cannot answer for") {
        Chain chain{Treatment::unwrap};
        Bytes inner = chain.device.build(chain.request());
        const auto message = cmp::parse_pki_message(inner, {}).value();
        const auto at = static_cast<std::size_t>(message.protection->data() - inner.data());
        inner[at + message.protection->size() - 1] ^= 1U;
        const Heard got =
            chain.device.deliver(*chain.far->gateway, nest(inner, *chain.near_own, Pki::kNow));
        CHECK(got.refused_for(PKIFailureInfo::badMessageCheck));
        CHECK(chain.far->audit.rule == "protection");
        CHECK(chain.far->tap.up.empty());
    }

    TEST_CASE("nested: batches are refused by name") {
        Chain chain{Treatment::unwrap};
        const Bytes one = chain.device.build(chain.request());
        Bytes two = one;
        append(two, one);
        crypto::Unprotected out;
        const Bytes prefix = cmp::nested_body_prefix(two.size());
        out.header.message_time = Pki::kNow;
        const Bytes id(16, 9);
        out.header.transaction_id = id;
        out.header.sender_nonce = id;
        out.body = {prefix, two};
        const Heard got = chain.device.deliver(*chain.far->gateway,
                                               crypto::sign_message(*chain.near_own, out).value());
        CHECK(got.type() == BodyType::error);
        CHECK(got.refused_for(PKIFailureInfo::badRequest));
        CHECK(chain.far->audit.rule == "batch");
    }

    TEST_CASE("S-30: more messages than nested may hold, and nesting too deep, are refused early") {
        Chain chain{Treatment::unwrap};
        const Bytes inner = chain.device.build(chain.request());
        SUBCASE("nested in nested") {
            const Bytes once = nest(inner, *chain.near_own, Pki::kNow);
            const Heard got =
                chain.device.deliver(*chain.far->gateway, nest(once, *chain.near_own, Pki::kNow));
            CHECK(got.refused_for(PKIFailureInfo::badRequest));
            CHECK(chain.far->audit.rule == "nested");
        }
        SUBCASE("deeper than the limit") {
            Bytes deep = inner;
            for (int i = 0; i < 6; ++i) deep = nest(deep, *chain.near_own, Pki::kNow);
            const Heard got = chain.device.deliver(*chain.far->gateway, deep);
            CHECK(got.refused_for(PKIFailureInfo::badDataFormat));
        }
        CHECK(chain.far->tap.up.empty());
    }

    TEST_CASE("S-05: the same message, nested by two RAs, is one message") {
        Chain chain{Treatment::unwrap};
        const auto other = RaPki::get().ra("CN=Gateway other,O=Example");
        const Bytes inner = chain.device.build(chain.request());
        const Heard first =
            chain.device.deliver(*chain.far->gateway, nest(inner, *chain.near_own, Pki::kNow));
        const Heard again =
            chain.device.deliver(*chain.far->gateway, nest(inner, *other, Pki::kNow));
        CHECK(first.der == again.der);
        CHECK(chain.far->tap.up.size() == 1);
    }
}
