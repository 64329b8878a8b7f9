#include "ra/crypto/protection.h"
#include "tests/ra/gateway/mac_world.h"

using namespace mac_test;
using policy::Treatment;

namespace {

/// The CA of this world knows no secret: what a MAC protects goes up under our signature.
void reprotect(World& world, Treatment treatment = Treatment::reprotect) {
    world.profile->treatments.mac = treatment;
    world.profile->ca_knows_secrets = false;
    gateway::UpstreamSettings& up = world.settings->upstreams.at("ca");
    up.responder.secret_holder = false;
    up.responder.trust = crypto::TrustStore::of({world.ca.certificate()});
    up.responder.ekus = {to_bytes(cmp::oid::kCmcCa.view())};
    up.credential = world.reply;
    world.settings->credentials = {world.reply};
}

labca::Settings ca_without_secrets(unsigned polls = 0) {
    labca::Settings made;
    made.poll_count = polls;
    return made;
}

void check_answer(const Device& device, const Heard& heard) {
    const cmp::PKIHeader& header = heard.message->header;
    CHECK(device.verifies(heard));
    CHECK(to_bytes(header.protection_alg->whole) == crypto::build_mac_algorithm(device.mac));
    CHECK(to_bytes(header.sender_kid.value_or(ByteView{})) == to_bytes(as_bytes("device-1")));
    CHECK(to_bytes(header.sender) == cmp::general_name(crypto::name_of("CN=device-1")));
    CHECK(to_bytes(header.recipient) == device.sender);
}

}  // namespace

TEST_SUITE("ra/gateway") {
    TEST_CASE("S-20: a MAC goes up as our signature and comes back as the same MAC") {
        for (const crypto::MacKind kind :
             {crypto::MacKind::passwordBasedMac, crypto::MacKind::pbmac1}) {
            CAPTURE(static_cast<int>(kind));
            World world{ca_without_secrets()};
            reprotect(world);
            Device device{world, "device-1"};
            device.mac.kind = kind;
            const Bytes asked = device.ir();
            const Heard ip = device.begin(asked);
            REQUIRE(ip.type() == BodyType::ip);
            REQUIRE(!ip.certificate().empty());
            check_answer(device, ip);
            const Heard up{world.upstream.last};
            CHECK(crypto::verify_signature_protection(up.message.message(),
                                                      world.reply->certificate->key())
                      .has_value());
            CHECK(to_bytes(up.message->header.sender) == world.reply->sender());
            CHECK(to_bytes(*up.message->header.transaction_id) == device.transaction_id);
            CHECK(to_bytes(up.message->body) == asked);

            const Heard done = device.next(labca_test::confirm(ip.certificate()));
            CHECK(done.type() == BodyType::pkiconf);
            check_answer(device, done);
            CHECK(world.left("device-1") == 0);
        }
    }

    TEST_CASE("S-20: waiting, pollRep and the certificate, each under the device's MAC") {
        World world{ca_without_secrets(2)};
        reprotect(world);
        Device device{world, "device-1"};
        Heard got = device.begin(device.ir());
        CHECK(got.status().status == cmp::PKIStatus::waiting);
        check_answer(device, got);
        for (int polls = 0; polls < 5 && got.type() != BodyType::pollRep; ++polls)
            got = device.next(cmp::build_poll_req_body(0));
        CHECK(got.type() == BodyType::pollRep);
        for (int polls = 0; polls < 5 && got.type() == BodyType::pollRep; ++polls) {
            check_answer(device, got);
            got = device.next(cmp::build_poll_req_body(0));
        }
        REQUIRE(got.type() == BodyType::ip);
        check_answer(device, got);
        CHECK(device.next(labca_test::confirm(got.certificate())).type() == BodyType::pkiconf);
    }

    TEST_CASE("raverified under a MAC: renamed by the reference") {
        World world{ca_without_secrets()};
        reprotect(world, Treatment::raverified);
        world.profile->amend.subject = policy::NamePattern::parse("CN=${sender.CN},O=Plant");
        Device device{world, "device-1"};
        const Heard got = device.begin(device.ir());
        // This CA takes raVerified from RAs only, and our key is none of those (S-11).
        CHECK(got.refused_for(PKIFailureInfo::notAuthorized));
        check_answer(device, got);
        const Heard up{world.upstream.last};
        const auto requests = cmp::parse_cert_req_messages(up.message->content, 0, {}).value();
        CHECK(requests.at(0).popo == cmp::PopoType::raVerified);
        CHECK(to_bytes(*requests.at(0).cert_template.subject) ==
              crypto::name_of("CN=device-1,O=Plant"));
    }

    TEST_CASE("treatment: a MAC the CA cannot verify is not forwarded, not nested (R-078)") {
        for (const Treatment treatment : {Treatment::forward, Treatment::nest}) {
            CAPTURE(to_string(treatment));
            World world{ca_without_secrets()};
            reprotect(world, treatment);
            Device device{world, "device-1"};
            const Heard got = device.begin(device.ir());
            CHECK(got.refused_for(PKIFailureInfo::wrongIntegrity));
            CHECK(device.verifies(got));
            CHECK(world.audit.rule == "treatment");
            CHECK(world.upstream.messages == 0);
            CHECK(world.left("device-1") == 1);
        }
    }

    TEST_CASE("treatment: central key generation under a MAC is not re-protected (R-076, R-078)") {
        World world{ca_without_secrets()};
        reprotect(world);
        world.profile->rules.central_key_generation = true;
        Device device{world, "device-1"};
        const Bytes wanted = cmp::build_cert_request(
            0, cmp::build_cert_template(crypto::name_of("CN=device-1"), {}));
        const Bytes body = cmp::build_cert_req_body(BodyType::ir, wanted, {});
        const Bytes algorithm = crypto::build_mac_algorithm(device.mac), id(16, 8);
        cmp::HeaderFields fields;
        fields.pvno = 3;
        fields.sender = device.sender;
        fields.protection_alg = algorithm;
        fields.sender_kid = as_bytes("device-1");
        fields.message_time = world.clock.wall_now();
        fields.transaction_id = id;
        fields.sender_nonce = id;
        const auto derived = crypto::MacKey::derive(device.mac, as_bytes(kGenerated)).value();
        const Heard got = device.hear(
            crypto::protect_with_mac(derived, cmp::build_header(fields), body, {}).value());
        CHECK(got.type() == BodyType::error);
        CHECK(got.refused_for(PKIFailureInfo::wrongIntegrity));
        CHECK(device.verifies(got));
        CHECK(world.audit.rule == "treatment");
        CHECK(world.upstream.messages == 0);
    }
}
