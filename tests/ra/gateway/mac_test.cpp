#include "tests/ra/gateway/mac_world.h"

using namespace mac_test;
using crypto::MacKind;
using crypto::ProtectionKind;

namespace {

bool is_signed(const Heard& heard) {
    return crypto::protection_kind(heard.message.message()) == ProtectionKind::signature;
}

/// Header and body, without what is fresh in every answer: nonce and trace.
std::string masked(const Heard& heard) {
    const cmp::PKIMessage& message = heard.message.message();
    std::string text = to_hex(message.protected_content());
    const auto hide = [&text](const std::string& fresh) {
        const auto at = text.find(fresh);
        if (at != std::string::npos) text.replace(at, fresh.size(), std::string(fresh.size(), '.'));
    };
    hide(to_hex(*message.header.sender_nonce));
    hide(to_hex(*message.header.recip_nonce));
    hide(to_hex(*message.header.transaction_id));
    const auto trace = text.find(to_hex(as_bytes("trace ")));
    if (trace != std::string::npos) text.replace(trace + 12, 64, std::string(64, '.'));
    return text;
}

}  // namespace

TEST_SUITE("ra/gateway") {
    TEST_CASE("MAC: ir, p10cr, certConf and genm under one secret, answered under it") {
        World world;
        Device device{world, "device-1"};
        CHECK(device.enrols());
        CHECK(world.left("device-1") == 0);

        Device second{world, "device-2"};
        const Heard genp = second.begin(cmp::build_genm_body(cmp::oid::kCaCerts.view()));
        CHECK(genp.type() == BodyType::genp);
        CHECK(second.verifies(genp));
        CHECK(world.left("device-2") == 1);  // it issues nothing
        const Heard cp = second.begin(labca_test::pkcs10(*second.key, "CN=device-2"));
        CHECK(cp.type() == BodyType::cp);
        CHECK(second.verifies(cp));
        CHECK(second.next(labca_test::confirm(cp.certificate(), -1)).type() == BodyType::pkiconf);
    }

    TEST_CASE("MAC: parameters of the device are those of every answer") {
        struct Row {
            const char* name;
            crypto::MacParameters mac;
        };
        const Row rows[] = {
            {"PBM SHA-1", {MacKind::passwordBasedMac, Bytes(8, 1), 100, "SHA1", "SHA1"}},
            {"PBM SHA-224", {MacKind::passwordBasedMac, Bytes(16, 1), 500, "SHA224", "SHA224"}},
            {"PBM SHA-512, HMAC-SHA384",
             {MacKind::passwordBasedMac, Bytes(64, 1), 1000, "SHA512", "SHA384"}},
            {"PBMAC1 SHA-256", {MacKind::pbmac1, Bytes(8, 1), 1000, "SHA256", "SHA256", 32}},
            {"PBMAC1 of 16 octets, other PRF",
             {MacKind::pbmac1, Bytes(24, 1), 100, "SHA512", "SHA256", 16}},
            {"PBMAC1 of 64 octets, HMAC-SHA512",
             {MacKind::pbmac1, Bytes(64, 1), 300, "SHA384", "SHA512", 64}},
        };
        for (const Row& row : rows) {
            CAPTURE(row.name);
            World world;
            Device device{world, "device-1"};
            device.mac = row.mac;
            const Bytes algorithm = crypto::build_mac_algorithm(row.mac);
            Heard refused = device.begin(labca_test::request(BodyType::ir, *device.key, "CN=x"));
            CHECK(equal(refused.message->header.protection_alg->whole, algorithm));
            CHECK(device.verifies(refused));
            CHECK(refused.type() == BodyType::ip);
            CHECK(device.enrols());
        }
    }

    TEST_CASE("S-30: MAC parameters out of bounds are refused before any work, both ways") {
        World world;
        struct Row {
            const char* name;
            crypto::MacParameters mac;
        };
        const Row rows[] = {
            {"too few", {MacKind::passwordBasedMac, Bytes(16, 1), 99}},
            {"too many", {MacKind::passwordBasedMac, Bytes(16, 1), 100'001}},
            {"short salt", {MacKind::pbmac1, Bytes(7, 1), 1000}},
            {"long salt", {MacKind::pbmac1, Bytes(65, 1), 1000}},
            {"short key", {MacKind::pbmac1, Bytes(16, 1), 1000, "SHA256", "SHA256", 15}},
        };
        for (const Row& row : rows) {
            CAPTURE(row.name);
            Device device{world, "device-1"};
            device.mac = row.mac;
            const Heard heard = device.begin(device.ir());
            CHECK(heard.refused_for(PKIFailureInfo::badAlg));
            CHECK(world.audit.rule == "mac-parameters");
            CHECK(is_signed(heard));
        }
        CHECK(world.pool.runs == 0);
        CHECK(world.gate.counts().failed == 0);

        // The CA's answer: a count nobody would have to compute with.
        Device device{world, "device-1"};
        world.upstream.instead = [&](const gateway::UpstreamMessage& message) {
            const auto asked =
                cmp::ParsedMessage::parse(cmp::MessageBuffer{to_bytes(message.der)}, {}).value();
            crypto::MacParameters huge{MacKind::pbmac1, Bytes(16, 2), 100'001};
            const Bytes algorithm = crypto::build_mac_algorithm(huge);
            const Bytes nonce(16, 9);
            cmp::HeaderFields fields;
            fields.protection_alg = algorithm;
            fields.transaction_id = *asked->header.transaction_id;
            fields.recip_nonce = *asked->header.sender_nonce;
            fields.sender_nonce = nonce;
            const Bytes body = cmp::build_error_body(
                cmp::build_status_info(cmp::PKIStatus::rejection, std::nullopt, "no"));
            return gateway::Answered{
                cmp::build_pki_message(cmp::build_header(fields), body, Bytes(32, 1), {}), 0};
        };
        const Heard heard = device.begin(device.ir());
        CHECK(world.audit.rule == "responder-protection");
        CHECK(device.verifies(heard));
    }

    TEST_CASE("S-20: only a request whose MAC verified is answered under a MAC") {
        World world;
        Device device{world, "device-1"};
        // Verified and refused: by profile, by body, by state, by upstream.
        CHECK(device.verifies(device.begin(labca_test::request(BodyType::ir, *device.key))));
        CHECK(world.audit.rule == "subject");
        device.transaction_id = device.recip_nonce = Bytes(16, 5);
        CHECK(device.verifies(device.next(cmp::build_cert_conf_body(Bytes(32, 1), 0))));
        CHECK(world.audit.rule == "no-transaction");
        world.upstream.instead = [](const auto&) { return NotSent{"connect"}; };
        CHECK(device.verifies(device.begin(device.ir())));
        CHECK(world.audit.rule == "not-sent");
        world.upstream.instead = nullptr;

        // Not verified, for whatever reason: signed, with the words of no secret.
        Device wrong{world, "device-1", "another secret"};
        CHECK(is_signed(wrong.begin(wrong.ir())));
        CHECK(world.audit.rule == "mac");
        Device unknown{world, "nobody"};
        CHECK(is_signed(unknown.begin(unknown.ir())));
        device.recip_nonce.clear();
        Bytes changed = device.build(device.ir());
        changed[changed.size() - 1] ^= 1U;
        CHECK(is_signed(device.hear(changed)));
        CHECK(world.audit.rule == "mac");
        // A header that lies about a live transaction gets no better answer.
        const Heard ip = device.begin(device.ir());
        REQUIRE(device.verifies(ip));
        Device forger{world, "device-1", "guess"};
        forger.transaction_id = device.transaction_id;
        forger.recip_nonce = device.recip_nonce;
        CHECK(is_signed(forger.next(labca_test::confirm(ip.certificate()))));
        CHECK(device.verifies(device.next(labca_test::confirm(ip.certificate()))));
    }

    TEST_CASE("S-21: unknown, expired, locked, throttled and wrong look alike and cost the same") {
        World world;
        world.add("expired", kGenerated, true, 1, world.clock.wall_now() - 1s);
        world.add("elsewhere", kGenerated, true, 1, std::nullopt, "another profile");
        const auto generation = world.known("weak").generation;
        REQUIRE(test::run(world.store.lock_secret(as_bytes("weak"), generation)));
        world.add("tired", kGenerated, true, 1);
        for (int i = 0; i < 20; ++i) {
            Device guess{world, "tired", "no"};
            (void)guess.begin(guess.ir());
        }

        struct Row {
            const char* name;
            const char* reference;
            std::string_view secret;
        };
        const Row rows[] = {{"wrong", "device-1", "not the secret"},
                            {"unknown", "nobody", kGenerated},
                            {"expired", "expired", kGenerated},
                            {"locked", "weak", kWeak},
                            {"of another profile", "elsewhere", kGenerated},
                            {"throttled", "tired", kGenerated}};
        std::string first;
        for (const Row& row : rows) {
            CAPTURE(row.name);
            Device device{world, row.reference, row.secret};
            device.sender = cmp::general_name(crypto::name_of("CN=x"));
            world.profile->origin.sender_is_reference = false;
            device.mac.iterations = 50'000;  // long enough for the pool
            const unsigned before = world.pool.runs;
            const Heard heard = device.begin(device.ir());
            CHECK(world.pool.runs - before == 1);
            CHECK(world.audit.rule == "mac");
            CHECK_FALSE(world.audit.verified);
            CHECK(heard.refused_for(PKIFailureInfo::badMessageCheck));
            CHECK(is_signed(heard));
            if (first.empty()) first = masked(heard);
            CHECK(masked(heard) == first);
        }
        CHECK(world.upstream.messages == 0);
    }

    TEST_CASE("S-22: a thousand forged failures from X, and the device from Y enrols") {
        World world;
        Device forger{world, "device-1", "a guess"};
        forger.source = "198.51.100.7";
        for (int i = 0; i < 1000; ++i) {
            (void)forger.begin(forger.ir());
            world.clock.pass(100ms);
        }
        CHECK(world.gate.counts().failed == 1000);
        CHECK(world.gate.counts().throttled > 900);
        CHECK_FALSE(world.known("device-1").locked);
        Device neighbour{world, "device-1"};
        neighbour.source = "198.51.100.99";  // of X's own network: must wait
        CHECK_FALSE(neighbour.enrols());
        Device device{world, "device-1"};
        device.source = "192.0.2.1";
        CHECK(device.enrols());
        CHECK(world.alarms.empty());
        // And X's network, too, once it has been quiet.
        world.add("spare", kGenerated, true, 1);
        world.clock.pass(61s);
        Device later{world, "spare"};
        later.source = "198.51.100.99";
        CHECK(later.enrols());
    }

    TEST_CASE("S-22: the delay grows, and ends") {
        World world;
        Device wrong{world, "device-1", "a guess"};
        const auto tried = [&] { return world.gate.counts().throttled; };
        for (int i = 0; i < 4; ++i) (void)wrong.begin(wrong.ir());
        CHECK(tried() == 0);
        (void)wrong.begin(wrong.ir());
        CHECK(tried() == 1);
        world.clock.pass(1s);
        (void)wrong.begin(wrong.ir());  // tried: the fifth
        CHECK(tried() == 1);
        world.clock.pass(1s);
        (void)wrong.begin(wrong.ir());
        CHECK(tried() == 2);
        world.clock.pass(1s);
        Device right{world, "device-1"};
        CHECK(right.enrols());
    }

    TEST_CASE(
        "S-22: a secret that can be guessed locks, with an alarm; all of them share a budget") {
        World world;
        Device wrong{world, "weak", "0000"};
        for (int i = 0; i < 10; ++i) {
            wrong.source = "10.0." + std::to_string(i) + ".1";  // a botnet: no source is slowed
            (void)wrong.begin(wrong.ir());
        }
        CHECK(world.known("weak").locked);
        REQUIRE(world.alarms.size() == 1);
        CHECK(world.alarms[0] == "secret-locked");
        Device right{world, "weak", kWeak};
        CHECK_FALSE(right.enrols());

        for (int i = 0; i < 60; ++i) {
            const std::string name = "pin-" + std::to_string(i);
            world.add(name, kWeak, false, 1);
            Device spray{world, name, "0000"};
            spray.source = "10.1." + std::to_string(i) + ".1";
            (void)spray.begin(spray.ir());
        }
        CHECK(world.alarms.back() == "secret-guesses");
        Device weak{world, "pin-0", kWeak};
        CHECK_FALSE(weak.enrols());
        Device strong{world, "device-1"};
        CHECK(strong.enrols());
        world.clock.pass(61s);
        world.add("spare", kWeak, false, 1);
        (void)weak;
    }
}
