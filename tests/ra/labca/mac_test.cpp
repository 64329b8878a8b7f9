#include "tests/ra/labca/lab.h"

namespace labca_test {
namespace {

labca::Settings with_secret() {
    labca::Settings settings;
    settings.secrets.emplace("device-7", Secret{to_bytes(as_bytes("open sesame"))});
    return settings;
}

}  // namespace

TEST_SUITE("ra/labca") {
    TEST_CASE("a client with a secret enrols; answers are protected by the same MAC") {
        for (const auto kind : {crypto::MacKind::passwordBasedMac, crypto::MacKind::pbmac1}) {
            Lab lab{with_secret()};
            Client client{lab.ca, lab.clock, "device-7", "open sesame"};
            client.mac.kind = kind;
            const auto key = new_key();
            const Heard heard = client.begin(request(BodyType::ir, *key));
            REQUIRE(heard.status().status == PKIStatus::accepted);
            CHECK(as_text(*heard.message->header.sender_kid) == "device-7");
            const auto mac = crypto::MacKey::derive(client.mac, as_bytes("open sesame")).value();
            CHECK(crypto::verify_mac_protection(*heard.message.operator->(), mac).has_value());
            CHECK(client.next(confirm(heard.certificate())).type() == BodyType::pkiconf);
            CHECK(lab.ca.ledger().entries().at(0).principal == to_bytes(as_bytes("mac:device-7")));
        }
    }

    TEST_CASE("S-21: an unknown reference and a wrong secret look alike; S-20: signed") {
        Lab lab{with_secret()};
        Client unknown{lab.ca, lab.clock, "device-8", "open sesame"};
        Client wrong{lab.ca, lab.clock, "device-7", "open barley"};
        for (Client* client : {&unknown, &wrong}) {
            const Heard heard = client->begin(request(BodyType::ir, *new_key()));
            CHECK(heard.type() == BodyType::error);
            CHECK(heard.refused_for(PKIFailureInfo::badMessageCheck));
            CHECK(crypto::protection_kind(*heard.message.operator->()) ==
                  crypto::ProtectionKind::signature);
        }
        CHECK(lab.ca.ledger().size() == 0);
    }

    TEST_CASE("S-30: parameters out of bounds are refused before any work") {
        Lab lab{with_secret()};
        struct Row {
            const char* name;
            std::uint32_t iterations;
            std::size_t salt;
        };
        const Row rows[] = {{"one iteration", 1, 16},
                            {"4 billion iterations", 4'000'000'000, 16},
                            {"short salt", 500, 7},
                            {"long salt", 500, 65}};
        for (const Row& row : rows) {
            for (const auto kind : {crypto::MacKind::passwordBasedMac, crypto::MacKind::pbmac1}) {
                CAPTURE(row.name);
                Client client{lab.ca, lab.clock, "device-7", "open sesame"};
                // Signed with what would be right, so that only the bounds can refuse it.
                const crypto::MacParameters refused{kind, Bytes(row.salt, 7), row.iterations};
                const Bytes algorithm = crypto::build_mac_algorithm(refused);
                cmp::HeaderFields fields;
                const Bytes nonce(16, 5);
                fields.protection_alg = algorithm;
                fields.sender_kid = as_bytes("device-7");
                fields.transaction_id = fields.sender_nonce = nonce;
                const Bytes message = cmp::build_pki_message(
                    cmp::build_header(fields), request(BodyType::ir, *new_key()), Bytes(32, 1), {});
                CHECK(Heard{client.deliver(message)}.refused_for(PKIFailureInfo::badRequest));
            }
        }
    }

    TEST_CASE("a secret does not update certificates") {
        Lab lab{with_secret()};
        Client client{lab.ca, lab.clock, "device-7", "open sesame"};
        CHECK(client.begin(request(BodyType::kur, *new_key()))
                  .refused_for(PKIFailureInfo::notAuthorized));
    }
}

}  // namespace labca_test
