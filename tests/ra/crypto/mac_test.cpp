#include "ra/crypto/mac.h"

#include <doctest/doctest.h>

#include "ra/asn1/der_writer.h"
#include "ra/asn1/oids.h"
#include "ra/cmp/fields.h"
#include "tests/ra/cmp/vectors.h"

namespace ra::crypto {
namespace {

constexpr std::string_view kSecret = "0123456789abcdef";  // of the vectors too

cmp::AlgorithmIdentifier read(ByteView der) {
    asn1::DerReader reader{der};
    return cmp::read_algorithm(reader, "protectionAlg").value();
}

Bytes salt() { return to_bytes(as_bytes("saltsaltsaltsalt")); }

}  // namespace

TEST_SUITE("ra/crypto") {
    TEST_CASE("PasswordBasedMac: messages of openssl cmp verify, changed ones do not") {
        for (const char* name : {"ir-pbm", "ip-pbm", "certconf-pbm", "pkiconf-pbm"}) {
            CAPTURE(name);
            const Bytes octets = cmp::test::vector_octets(name);
            const auto message = cmp::parse_pki_message(octets, {}).value();
            const auto parameters =
                parse_mac_parameters(*message.header.protection_alg, {}).value();
            CHECK(parameters.kind == MacKind::passwordBasedMac);
            const auto key = MacKey::derive(parameters, as_bytes(kSecret)).value();
            CHECK(verify_mac_protection(message, key).has_value());
            const auto other = MacKey::derive(parameters, as_bytes("0123456789abcdeF")).value();
            CHECK(verify_mac_protection(message, other).error().code == Errc::bad_signature);

            Bytes changed = octets;
            const auto last = static_cast<std::size_t>(message.protection->data() - octets.data()) +
                              message.protection->size() - 1;
            changed[last] ^= 1U;
            const auto forged = cmp::parse_pki_message(changed, {}).value();
            CHECK(verify_mac_protection(forged, key).error().code == Errc::bad_signature);
        }
    }

    TEST_CASE("PBMAC1: what Python's hashlib.pbkdf2_hmac and hmac compute") {
        struct Row {
            const char* digest;
            std::size_t key_octets;
            const char* mac;
        };
        const Row rows[] = {
            {"SHA256", 32, "3b916c63e89705eb9326e50892407ce86ac72cf5f47679359a93ebadb012d42c"},
            {"SHA512", 64,
             "6a7aeb71c19a696553226fd392eb53b696d9b8019abb9f35cec698337be47fe4"
             "7373624d73ae2566f4b72f8546054807971c38132bd179a12915b8092b9fa280"}};
        for (const Row& row : rows) {
            const MacParameters parameters{MacKind::pbmac1, salt(),     1000,
                                           row.digest,      row.digest, row.key_octets};
            const auto key = MacKey::derive(parameters, as_bytes(kSecret)).value();
            CHECK(to_hex(key.compute(as_bytes("what is "), as_bytes("protected")).value()) ==
                  row.mac);
        }
    }

    TEST_CASE("MAC parameters: written and read again") {
        for (const auto kind : {MacKind::passwordBasedMac, MacKind::pbmac1}) {
            for (const char* digest : {"SHA256", "SHA384", "SHA512"}) {
                const MacParameters made{kind, salt(), 4321, digest, "SHA384", 48};
                const Bytes der = build_mac_algorithm(made);
                const auto again = parse_mac_parameters(read(der), {}).value();
                CHECK(again.kind == kind);
                CHECK(again.salt == made.salt);
                CHECK(again.iterations == 4321);
                CHECK(std::string_view{again.derivation} == digest);
                CHECK(std::string_view{again.mac} == "SHA384");
                if (kind == MacKind::pbmac1) CHECK(again.key_octets == 48);
            }
        }
    }

    TEST_CASE("S-30: MAC parameters out of bounds or malformed") {
        struct Row {
            const char* name;
            std::size_t salt;
            std::uint32_t iterations;
            bool good;
        };
        const Row rows[] = {{"least", 8, 100, true},
                            {"most", 64, 100'000, true},
                            {"short salt", 7, 1000, false},
                            {"long salt", 65, 1000, false},
                            {"few iterations", 16, 99, false},
                            {"many iterations", 16, 100'001, false},
                            {"4 billion iterations", 16, 4'294'967'295, false}};
        for (const auto kind : {MacKind::passwordBasedMac, MacKind::pbmac1}) {
            for (const Row& row : rows) {
                CAPTURE(row.name);
                const Bytes der = build_mac_algorithm({kind, Bytes(row.salt, 1), row.iterations});
                const auto got = parse_mac_parameters(read(der), {});
                REQUIRE(got.has_value() == row.good);
                if (!got) CHECK(got.error().code == Errc::bad_value);
            }
        }
        // An algorithm that is none of ours.
        asn1::DerWriter writer;
        {
            const auto algorithm = writer.open(asn1::Tag::sequence);
            writer.oid(asn1::oid("1.2.840.10045.4.3.2").view());
        }
        CHECK(parse_mac_parameters(read(writer.view()), {}).error().code == Errc::unsupported);
        // PBMAC1 with a key of 15 octets.
        const Bytes weak =
            build_mac_algorithm({MacKind::pbmac1, salt(), 1000, "SHA256", "SHA256", 15});
        CHECK(parse_mac_parameters(read(weak), {}).error().code == Errc::bad_value);
    }
}

}  // namespace ra::crypto
