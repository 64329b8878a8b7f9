#include "ra/crypto/mac.h"

#include <doctest/doctest.h>

#include "ra/asn1/der_writer.h"
#include "ra/asn1/oids.h"
#include "ra/cmp/fields.h"
#include "ra/crypto/mac_function.h"
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

    TEST_CASE("MAC functions: what the openssl command computes") {
        // printf 'what is protected' | openssl mac -macopt hexkey:000102… -macopt
        // cipher:AES-128-GCM
        //     -macopt hexiv:000000000000000000000001 GMAC; … KMAC-128; … KMAC-256 (OpenSSL 3.0)
        struct Row {
            const char* name;
            std::size_t key_octets;
            bool nonce;
            const char* mac;
        };
        const Row rows[] = {{"AES-128-GCM", 16, true, "f3d7f55fd2eb8517a5bcf97d5f7a5778"},
                            {"AES-256-GCM", 32, true, "f75bd752fc2068eb076bb0f6509c44b5"},
                            {"KMAC-128", 16, false,
                             "532f7fcd9a69ae9459f65aab5838271f84c0cc489518956fdf984030dd02cce0"},
                            {"KMAC-256", 32, false,
                             "0dc39ca1f80c7ea80ab96cee91849071643938b9af32e4da12ffc6c7626aec7a64e08"
                             "8e33c726036cd7d891a8f443872a02453b46152560954ae05054b80fc7e"}};
        Bytes nonce(12);
        nonce.back() = 1;
        for (const Row& row : rows) {
            CAPTURE(row.name);
            Bytes key;
            for (std::size_t i = 0; i < row.key_octets; ++i)
                key.push_back(static_cast<std::uint8_t>(i));
            const auto got = compute_mac(row.name, row.nonce ? nonce : Bytes{}, key,
                                         as_bytes("what is protected"));
            REQUIRE(got.has_value());
            CHECK(to_hex(*got) == row.mac);
        }
        CHECK_FALSE(compute_mac("AES-128-GCM", nonce, Bytes(15), as_bytes("x")).has_value());
        CHECK_FALSE(compute_mac("KMAC-128", {}, Bytes(3), as_bytes("x")).has_value());
    }

    TEST_CASE("GMAC and KMAC inside PasswordBasedMac and PBMAC1") {
        const char* const functions[] = {"AES-128-GCM", "AES-192-GCM", "AES-256-GCM", "KMAC-128",
                                         "KMAC-256"};
        for (const auto kind : {MacKind::passwordBasedMac, MacKind::pbmac1}) {
            for (const char* function : functions) {
                for (const char* derivation : {"SHA1", "SHA256", "SHA512"}) {
                    CAPTURE(function);
                    CAPTURE(derivation);
                    MacParameters made{kind, salt(), 200, derivation, function};
                    made.key_octets = natural_key_octets(function);
                    if (std::string_view{function}.starts_with("AES")) made.nonce = Bytes(12, 5);
                    const auto again =
                        parse_mac_parameters(read(build_mac_algorithm(made)), {}).value();
                    CHECK(std::string_view{again.mac} == function);
                    CHECK(again.nonce == made.nonce);
                    const auto key = MacKey::derive(again, as_bytes(kSecret)).value();
                    const auto mac = key.compute(as_bytes("x")).value();
                    CHECK(MacKey::derive(made, as_bytes(kSecret))
                              .value()
                              .compute(as_bytes("x"))
                              .value() == mac);
                    CHECK(key.compute(as_bytes("y")).value() != mac);
                    if (made.nonce.empty()) continue;
                    CHECK(mac.size() == 16);
                    CHECK(key.with_nonce(Bytes(12, 6)).compute(as_bytes("x")).value() != mac);
                }
            }
        }
        // A GMAC of another length than 16, or with a nonce of another than 12 octets.
        const Bytes good = build_mac_algorithm(
            {MacKind::pbmac1, salt(), 200, "SHA256", "AES-128-GCM", 16, Bytes(12, 5)});
        Bytes shorter = good;
        shorter.back() = 12;
        CHECK(parse_mac_parameters(read(shorter), {}).error().code == Errc::bad_value);
        const Bytes long_nonce = build_mac_algorithm(
            {MacKind::pbmac1, salt(), 200, "SHA256", "AES-128-GCM", 16, Bytes(13, 5)});
        CHECK(parse_mac_parameters(read(long_nonce), {}).error().code == Errc::bad_value);
        const Bytes long_key = build_mac_algorithm(
            {MacKind::pbmac1, salt(), 200, "SHA256", "AES-128-GCM", 32, Bytes(12, 5)});
        CHECK(parse_mac_parameters(read(long_key), {}).error().code == Errc::bad_value);
        // As PBKDF2's prf neither is taken (RFC 9481 6.2.2).
        const Bytes prf = build_mac_algorithm({MacKind::pbmac1, salt(), 200, "KMAC-128", "SHA256"});
        CHECK(parse_mac_parameters(read(prf), {}).error().code == Errc::unsupported);
    }
}

}  // namespace ra::crypto
