#include <doctest/doctest.h>

#include "ra/asn1/der_writer.h"
#include "ra/asn1/oids.h"
#include "ra/crypto/signer.h"

using namespace ra;
using crypto::PrivateKey;
using crypto::PrivateKeyPtr;
using crypto::PublicKey;

namespace {

cmp::AlgorithmIdentifier identifier(ByteView whole) {
    asn1::DerReader outer{whole};
    const auto content = outer.read(asn1::Tag::sequence, "algorithm");
    asn1::DerReader reader{*content};
    cmp::AlgorithmIdentifier made;
    made.whole = whole;
    made.algorithm = *reader.read_oid("algorithm");
    made.parameters = reader.rest();
    return made;
}

Bytes algorithm(std::string_view name, ByteView parameters = {}) {
    asn1::DerWriter writer;
    {
        const auto sequence = writer.open(asn1::Tag::sequence);
        writer.oid(asn1::oid_by_name(name));
        writer.raw(parameters);
    }
    return std::move(writer).take();
}

constexpr std::uint8_t kNull[] = {0x05, 0x00};

Bytes spki_of(ByteView algorithm_identifier, ByteView key, asn1::Tag tag = asn1::Tag::sequence) {
    asn1::DerWriter writer;
    {
        const auto sequence = writer.open(tag);
        writer.raw(algorithm_identifier);
        writer.bit_string(key);
    }
    return std::move(writer).take();
}

/// AlgorithmIdentifier TLV and key octets of a SubjectPublicKeyInfo.
std::pair<ByteView, ByteView> parts_of(ByteView spki) {
    asn1::DerReader outer{spki};
    asn1::DerReader reader{*outer.read(asn1::Tag::sequence, "spki")};
    const ByteView first = reader.read_any("algorithm")->whole;
    return {first, *reader.read_bit_string("key")};
}

}  // namespace

TEST_SUITE("ra/crypto") {
    TEST_CASE("S-14: a key has one digest, however it is written") {
        const PrivateKeyPtr ec = PrivateKey::generate("ec:P-256");
        const auto [ec_algorithm, point] = parts_of(ec->spki());
        REQUIRE(point.size() == 65);
        Bytes compressed{static_cast<std::uint8_t>(0x02U | (point.back() & 1U))};
        append(compressed, point.subspan(1, 32));
        Bytes hybrid = to_bytes(point);
        hybrid[0] = static_cast<std::uint8_t>(0x06U | (point.back() & 1U));
        const auto digest = crypto::key_digest(ec->spki());
        REQUIRE(digest.has_value());
        for (const Bytes& form : {compressed, hybrid, to_bytes(point)}) {
            // libcrypto takes each for the same key: so must we.
            const Bytes spki = spki_of(ec_algorithm, form);
            CHECK(PublicKey::from_spki(spki).has_value());
            CHECK(crypto::key_digest(spki).value() == *digest);
            CHECK(crypto::key_digest(spki_of(ec_algorithm, form, asn1::context(6))).value() ==
                  *digest);
        }
        CHECK(crypto::key_digest(PrivateKey::generate("ec:P-256")->spki()).value() != *digest);

        const PrivateKeyPtr rsa = PrivateKey::generate("rsa:2048");
        const ByteView modulus = parts_of(rsa->spki()).second;
        const auto rsa_digest = crypto::key_digest(rsa->spki());
        REQUIRE(rsa_digest.has_value());
        for (const Bytes& written : {algorithm("rsaEncryption", kNull), algorithm("rsaEncryption"),
                                     algorithm("RSASSA-PSS")}) {
            CHECK(crypto::key_digest(spki_of(written, modulus)).value() == *rsa_digest);
        }

        CHECK(crypto::key_digest(PrivateKey::generate("ed25519")->spki()).value() !=
              crypto::key_digest(PrivateKey::generate("ed25519")->spki()).value());
        CHECK_FALSE(crypto::key_digest({}).has_value());
        CHECK_FALSE(crypto::key_digest(Bytes{0x30, 0x00}).has_value());
        CHECK(crypto::key_digest(spki_of(ec_algorithm, {})).has_value());
    }

    TEST_CASE("PublicKey: verifies what a key of each kind signs, and nothing else") {
        struct Row {
            const char* kind;
            const char* family;
            unsigned bits;
        };
        const Row rows[] = {
            {"ec:P-256", "ec", 256},   {"ec:P-384", "ec", 384},     {"ec:P-521", "ec", 521},
            {"rsa:2048", "rsa", 2048}, {"ed25519", "ed25519", 253}, {"ed448", "ed448", 456},
        };
        for (const Row& row : rows) {
            CAPTURE(row.kind);
            const PrivateKeyPtr key = PrivateKey::generate(row.kind);
            const auto made = PublicKey::from_spki(key->spki());
            REQUIRE(made.has_value());
            CHECK(made->facts().family == row.family);
            CHECK(made->facts().bits == row.bits);

            const Bytes data(600, 0x5a);
            auto signature = key->sign(data);
            REQUIRE(signature.has_value());
            const auto alg = identifier(key->algorithm());
            CHECK(made->verify(alg, *signature, data).has_value());
            const ByteView whole{data};
            CHECK(made->verify(alg, *signature, whole.first(10), whole.subspan(10)).has_value());

            Bytes changed = data;
            changed[300] ^= 1;
            CHECK_FALSE(made->verify(alg, *signature, changed).has_value());
            Bytes cut{signature->begin(), signature->end() - 1};
            CHECK_FALSE(made->verify(alg, cut, data).has_value());
            CHECK_FALSE(made->verify(alg, {}, data).has_value());
            const PrivateKeyPtr other = PrivateKey::generate(row.kind);
            const auto other_key = PublicKey::from_spki(other->spki());
            REQUIRE(other_key.has_value());
            CHECK(other_key->verify(alg, *signature, data).error().code == Errc::bad_signature);
        }
    }

    TEST_CASE(
        "PublicKey: an algorithm that is not the key's, or is broken, is refused before work") {
        const PrivateKeyPtr ec = PrivateKey::generate("ec:P-256");
        const auto key = PublicKey::from_spki(ec->spki());
        REQUIRE(key.has_value());
        const Bytes data(16);
        const Bytes signature = *ec->sign(data);
        struct Row {
            const char* name;
            Bytes algorithm;
            Errc want;
        };
        const Row rows[] = {
            {"RSA on an EC key", algorithm("sha256WithRSAEncryption", kNull), Errc::unsupported},
            {"EdDSA on an EC key", algorithm("Ed25519"), Errc::unsupported},
            {"SHA-1", algorithm("sha1WithRSAEncryption", kNull), Errc::unsupported},
            {"ECDSA with NULL parameters", algorithm("ecdsa-with-SHA256", kNull), Errc::bad_value},
            {"a MAC", algorithm("PasswordBasedMac"), Errc::unsupported},
            {"another digest", algorithm("ecdsa-with-SHA512"), Errc::bad_signature},
        };
        for (const Row& row : rows) {
            CAPTURE(row.name);
            const auto verified = key->verify(identifier(row.algorithm), signature, data);
            REQUIRE_FALSE(verified.has_value());
            CHECK(verified.error().code == row.want);
        }
    }

    TEST_CASE("S-30: keys beyond the bounds are refused") {
        const PrivateKeyPtr ec = PrivateKey::generate("ec:P-256");
        Bytes off_curve = to_bytes(ec->spki());
        off_curve.back() ^= 1;
        CHECK(PublicKey::from_spki(off_curve).error().code == Errc::bad_value);
        CHECK_FALSE(PublicKey::from_spki(ByteView{off_curve}.first(40)).has_value());

        const auto rsa = [](std::size_t octets, std::initializer_list<std::uint8_t> exponent) {
            asn1::DerWriter key;
            {
                const auto sequence = key.open(asn1::Tag::sequence);
                Bytes modulus(octets, 0x7f);
                key.big_integer(modulus);
                key.big_integer(Bytes{exponent});
            }
            asn1::DerWriter spki;
            {
                const auto sequence = spki.open(asn1::Tag::sequence);
                spki.raw(algorithm("rsaEncryption", kNull));
                spki.bit_string(key.view());
            }
            return std::move(spki).take();
        };
        CHECK(PublicKey::from_spki(rsa(256, {1, 0, 1})).has_value());
        CHECK(PublicKey::from_spki(rsa(1024, {1, 0, 1})).has_value());
        CHECK(PublicKey::from_spki(rsa(1026, {1, 0, 1})).error().code == Errc::bad_value);
        CHECK(PublicKey::from_spki(rsa(64, {1, 0, 1})).error().code == Errc::bad_value);
        CHECK(PublicKey::from_spki(rsa(256, {1, 0, 0})).error().code == Errc::bad_value);
        CHECK(PublicKey::from_spki(rsa(256, {1})).error().code == Errc::bad_value);
        CHECK(PublicKey::from_spki(rsa(256, {1, 0, 0, 0, 1})).error().code == Errc::bad_value);
    }
}
