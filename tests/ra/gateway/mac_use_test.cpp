#include "tests/ra/gateway/mac_world.h"

using namespace mac_test;

TEST_SUITE("ra/gateway") {
    TEST_CASE("S-23: one use is one enrolment, whatever else is tried") {
        World world;
        Device first{world, "device-1"};
        const Heard ip = first.begin(first.ir());
        REQUIRE(ip.type() == BodyType::ip);
        CHECK(world.left("device-1") == 0);
        CHECK(world.known("device-1").reserved == 0);  // committed with the answer

        Device second{world, "device-1"};
        const Heard refused = second.begin(second.ir());
        CHECK(refused.refused_for(PKIFailureInfo::notAuthorized));
        CHECK(world.audit.rule == "secret-uses");
        CHECK(second.verifies(refused));
        // Follow-ups use none.
        const Bytes confirm = first.build(labca_test::confirm(ip.certificate()));
        const Heard done = first.hear(confirm);
        CHECK(done.type() == BodyType::pkiconf);
        // And what was answered is answered again.
        const unsigned sent = world.upstream.messages;
        CHECK(equal(first.hear(confirm).message->whole, done.message->whole));
        CHECK(world.upstream.messages == sent);
    }

    TEST_CASE("S-23: how a use ends") {
        using Instead = std::function<gateway::SubmitResult(const gateway::UpstreamMessage&)>;
        struct Row {
            const char* name;
            Instead instead;  // null: the CA's own answer
            bool ca_refuses;
            std::uint32_t left, reserved;
        };
        const Row rows[] = {
            {"certificate", nullptr, false, 0, 0},
            {"refused by the CA", nullptr, true, 1, 0},
            {"no octet left", [](const auto&) { return NotSent{"connect"}; }, false, 1, 0},
            {"in doubt", [](const auto&) { return Unknown{"reset"}; }, false, 0, 1},
            {"an answer not to be believed",
             [](const auto&) { return gateway::Answered{Bytes(40, 0x30), 0}; }, false, 0, 0},
            {"server error", [](const auto&) { return RejectedByTransport{500, {}}; }, false, 0, 1},
        };
        for (const Row& row : rows) {
            CAPTURE(row.name);
            labca::Settings settings = ca_settings();
            if (row.ca_refuses) settings.certificates = 1;  // the RA's own, and no more
            World world{std::move(settings)};
            world.upstream.instead = row.instead;
            Device device{world, "device-1"};
            const Heard heard = device.begin(device.ir());
            CHECK(device.verifies(heard));
            CHECK(world.left("device-1") == row.left);
            CHECK(world.known("device-1").reserved == row.reserved);
            world.upstream.instead = nullptr;
            // What is in doubt stays used, after the transaction has gone, too.
            world.clock.pass(24h);
            world.store.sweep();
            CHECK(world.left("device-1") == row.left);
            CHECK(world.known("device-1").reserved == 0);
        }
    }

    TEST_CASE("S-23: waiting commits, and polling goes on under the same secret") {
        labca::Settings settings = ca_settings();
        settings.poll_count = 1;
        World world{std::move(settings)};
        Device device{world, "device-1"};
        const Heard waiting = device.begin(device.ir());
        CHECK(waiting.cert().status.status == cmp::PKIStatus::waiting);
        CHECK(world.left("device-1") == 0);
        CHECK(world.known("device-1").reserved == 0);
        const Heard poll = device.next(cmp::build_poll_req_body(0));
        CHECK(poll.type() == BodyType::pollRep);
        CHECK(device.verifies(poll));
        const Heard ip = device.next(cmp::build_poll_req_body(0));
        REQUIRE(ip.type() == BodyType::ip);
        CHECK(device.next(labca_test::confirm(ip.certificate())).type() == BodyType::pkiconf);
    }

    TEST_CASE("MAC: a transaction goes on after its secret expired; a revoked one ends it") {
        World world;
        world.add("spare", kGenerated, true, 2, world.clock.wall_now() + 10s);
        Device device{world, "spare"};
        const Heard ip = device.begin(device.ir());
        REQUIRE(ip.type() == BodyType::ip);
        world.clock.pass(11s);
        Device late{world, "spare"};
        CHECK(late.begin(late.ir()).refused_for(PKIFailureInfo::badMessageCheck));
        CHECK(world.audit.detail == "the secret has expired");
        CHECK(device.next(labca_test::confirm(ip.certificate())).type() == BodyType::pkiconf);

        Device other{world, "device-1"};
        const Heard second = other.begin(other.ir());
        REQUIRE(second.type() == BodyType::ip);
        REQUIRE(test::run(world.store.revoke_secret(as_bytes("device-1"))));
        CHECK(other.next(labca_test::confirm(second.certificate()))
                  .refused_for(PKIFailureInfo::badMessageCheck));
        // The same reference again is another secret, and not that transaction's owner.
        world.add("device-1", kGenerated, true, 1);
        CHECK(other.next(labca_test::confirm(second.certificate()))
                  .refused_for(PKIFailureInfo::badRequest));
    }

    TEST_CASE("R-020, R-021: one kind of protection and one credential, all along") {
        World world;
        world.profile->origin.trust = crypto::TrustStore::of({world.ca.certificate()});
        Device device{world, "device-1"};
        const Heard ip = device.begin(device.ir());
        REQUIRE(ip.type() == BodyType::ip);
        // The same certConf, signed with a certificate of the CA.
        test::Envelope envelope;
        envelope.credential = world.ca.issue_device_certificate("CN=device-1");
        envelope.time = world.clock.wall_now();
        envelope.transaction_id = device.transaction_id;
        envelope.sender_nonce = world.random.octets(16);
        envelope.recip_nonce = device.recip_nonce;
        const Bytes body = labca_test::confirm(ip.certificate());
        const Heard by_signature{world.deliver(test::build_message(envelope, body))};
        CHECK(by_signature.refused_for(PKIFailureInfo::badRequest));
        CHECK(world.audit.rule == "no-transaction");
        // Under another device's secret.
        Device other{world, "device-2"};
        other.transaction_id = device.transaction_id;
        other.recip_nonce = device.recip_nonce;
        CHECK(other.next(body).refused_for(PKIFailureInfo::badRequest));
        CHECK(device.next(body).type() == BodyType::pkiconf);
        // Signatures and MACs side by side.
        envelope.transaction_id = world.random.octets(16);
        envelope.recip_nonce.clear();
        const Bytes genm = cmp::build_genm_body(cmp::oid::kCaCerts.view());
        const Heard by_us{world.deliver(test::build_message(envelope, genm))};
        CHECK(world.audit.verified);
        // This upstream has no trust: what it signs is believed by nobody.
        CHECK(world.audit.rule == "responder-trust");
        CHECK(by_us.refused_for(PKIFailureInfo::systemFailure));
    }

    TEST_CASE("R-011: senderKID and the CN of sender name the same secret") {
        struct Row {
            const char* name;
            const char* sender;  // null: NULL-DN
            bool kid, strict;
            const char* rule;
        };
        const Row rows[] = {
            {"both", "CN=device-1", true, true, ""},
            {"NULL-DN, as openssl cmp without -subject", nullptr, true, true, ""},
            // The lab CA wants a senderKID; for the gateway the CN is enough.
            {"CN alone", "CN=device-1", false, true, "responder-protection"},
            {"CN among others", "O=Example,CN=device-1", true, true, ""},
            {"another CN", "CN=press 17", true, true, "sender-kid"},
            {"another CN, let pass", "CN=press 17", true, false, ""},
            {"no CN", "O=Example", true, true, "sender-kid"},
            {"two CNs", "CN=device-1,CN=device-1", true, true, "sender-kid"},
            {"nothing named", nullptr, false, true, "sender-kid"},
        };
        for (const Row& row : rows) {
            CAPTURE(row.name);
            World world;
            world.profile->origin.sender_is_reference = row.strict;
            Device device{world, "device-1"};
            device.sender =
                row.sender == nullptr ? Bytes{} : cmp::general_name(crypto::name_of(row.sender));
            device.name_kid = row.kid;
            const Heard heard = device.begin(device.ir());
            CHECK(world.audit.rule == row.rule);
            if (std::string_view{row.rule} == "sender-kid")
                CHECK(heard.refused_for(PKIFailureInfo::badMessageCheck));
        }
    }

    TEST_CASE("R-145, R-143: kur and rr under a MAC are refused, under the MAC") {
        World world;
        Device device{world, "device-1"};
        const Heard kup = device.begin(device.of(BodyType::kur));
        CHECK(kup.refused_for(PKIFailureInfo::wrongIntegrity));
        CHECK(world.audit.rule == "protection-kind");
        CHECK(device.verifies(kup));
        const auto& view = world.reply->certificate->view();
        const Heard rp = device.begin(cmp::build_rev_req_body(view.issuer, view.serial, 1));
        CHECK(rp.refused_for(PKIFailureInfo::wrongIntegrity));
        CHECK(device.verifies(rp));
        CHECK(world.left("device-1") == 1);
        CHECK(world.upstream.messages == 0);
    }

    TEST_CASE("MAC: a profile takes what it says, and no more") {
        World world;
        // A signature where only secrets are.
        test::Envelope envelope;
        envelope.credential = world.ca.issue_device_certificate("CN=device-1");
        envelope.time = world.clock.wall_now();
        envelope.transaction_id = Bytes(16, 1);
        envelope.sender_nonce = Bytes(16, 2);
        const Bytes genm = cmp::build_genm_body(cmp::oid::kCaCerts.view());
        const Heard by_signature{world.deliver(test::build_message(envelope, genm))};
        CHECK(by_signature.refused_for(PKIFailureInfo::wrongIntegrity));
        // A MAC where only signatures are.
        world.profile->origin.mac = policy::OriginSettings::Mac::off;
        world.profile->origin.trust = crypto::TrustStore::of({world.ca.certificate()});
        Device device{world, "device-1"};
        CHECK(device.begin(device.ir()).refused_for(PKIFailureInfo::wrongIntegrity));
        CHECK(world.gate.counts().failed == 0);
    }

    TEST_CASE("S-12: a CA that does not share the secret may not answer under it") {
        World world;
        world.settings->upstreams.at("ca").responder.secret_holder = false;
        Device device{world, "device-1"};
        const Heard heard = device.begin(device.ir());
        CHECK(world.audit.rule == "responder-authority");
        CHECK(heard.refused_for(PKIFailureInfo::systemFailure));
        CHECK(device.verifies(heard));
    }

    TEST_CASE("MAC: a device that keeps its parameters costs one derivation a transaction") {
        World world;
        Device device{world, "device-1"};
        device.mac.iterations = 50'000;
        const Heard ip = device.begin(device.ir());
        REQUIRE(ip.type() == BodyType::ip);
        CHECK(world.pool.runs == 1);
        CHECK(world.gate.keys().size() == 1);
        CHECK(device.next(labca_test::confirm(ip.certificate())).type() == BodyType::pkiconf);
        CHECK(world.pool.runs == 1);
        CHECK(world.gate.keys().size() == 0);
    }

    TEST_CASE("GMAC: an answer has a nonce of its own") {
        World world;
        Device device{world, "device-1"};
        device.mac = {crypto::MacKind::pbmac1, Bytes(16, 1), 200,         "SHA256",
                      "AES-128-GCM",           16,           Bytes(12, 3)};
        // The lab CA takes none; the gateway verifies, and says so itself.
        std::vector<Bytes> nonces{Bytes(12, 3)};
        for (int i = 0; i < 3; ++i) {
            const Heard heard = device.begin(device.ir());
            CHECK(world.audit.rule == "responder-protection");
            CHECK(device.verifies(heard));
            const auto parameters =
                crypto::parse_mac_parameters(*heard.message->header.protection_alg, {}).value();
            CHECK(parameters.salt == device.mac.salt);
            CHECK(std::find(nonces.begin(), nonces.end(), parameters.nonce) == nonces.end());
            nonces.push_back(parameters.nonce);
            world.add("spare-" + std::to_string(i), kGenerated, true, 1);
            Device next{world, "spare-" + std::to_string(i)};
            next.mac = device.mac;
            device = std::move(next);
        }
    }
}
