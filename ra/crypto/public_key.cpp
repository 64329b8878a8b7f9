#include "ra/crypto/public_key.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <array>

#include "ra/asn1/oids.h"
#include "ra/crypto/algorithms.h"
#include "ra/crypto/public_key_impl.h"

namespace ra::crypto {
namespace {

using asn1::DerReader;
using asn1::oid;
using asn1::Oid;
using asn1::Tag;

constexpr unsigned kMostRsaBits = 8192;  // S-30
constexpr int kMostExponentBits = 32;

struct Spki {
    ByteView algorithm;   // OID content
    ByteView parameters;  // TLV; empty: absent
    ByteView key;
    ByteView content;  // of the SEQUENCE
};

Result<Spki> parse_spki(ByteView spki) {
    DerReader outer{spki};
    RA_TRY(const asn1::Tlv tlv, outer.read_any("publicKey"));
    RA_TRY_VOID(outer.expect_end("publicKey"));
    DerReader reader{tlv.content};
    Spki parsed;
    parsed.content = tlv.content;
    RA_TRY(const ByteView algorithm, reader.read(Tag::sequence, "publicKey"));
    DerReader inner{algorithm};
    RA_TRY(parsed.algorithm, inner.read_oid("publicKey"));
    parsed.parameters = inner.rest();
    RA_TRY(parsed.key, reader.read_bit_string("publicKey"));
    RA_TRY_VOID(reader.expect_end("publicKey"));
    return parsed;
}

struct Curve {
    Oid oid;
    std::string_view name;
    const char* group;
    unsigned bits;
};
constexpr std::array<Curve, 4> kCurves = {{
    {oid("1.2.840.10045.3.1.7"), "P-256", "P-256", 256},
    {oid("1.3.132.0.34"), "P-384", "P-384", 384},
    {oid("1.3.132.0.35"), "P-521", "P-521", 521},
    {oid("1.3.132.0.33"), "P-224", "P-224", 224},
}};

/// A key of the curve with no point: copying its parameters is what makes key building cheap.
const EVP_PKEY* curve_template(std::size_t index) {
    static const std::array<EvpKeyPtr, kCurves.size()> templates = [] {
        std::array<EvpKeyPtr, kCurves.size()> made;
        for (std::size_t i = 0; i < kCurves.size(); ++i)
            made[i].reset(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", kCurves[i].group));
        return made;
    }();
    return templates[index].get();
}

Result<EvpKeyPtr> ec_key(const Spki& spki, KeyFacts& facts) {
    DerReader reader{spki.parameters};
    RA_TRY(const ByteView named,
           reader.read_oid("publicKey"));  // explicit parameters: refused (S-30)
    for (std::size_t i = 0; i < kCurves.size(); ++i) {
        if (!(kCurves[i].oid == named)) continue;
        facts = {"ec", kCurves[i].name, kCurves[i].bits};
        EvpKeyPtr key{EVP_PKEY_new()};
        if (curve_template(i) == nullptr) return fail(Errc::unsupported, "publicKey");
        const bool good =
            key != nullptr && EVP_PKEY_copy_parameters(key.get(), curve_template(i)) == 1 &&
            EVP_PKEY_set1_encoded_public_key(key.get(), spki.key.data(), spki.key.size()) == 1;
        if (!good) return fail(Errc::bad_value, "publicKey");
        return key;
    }
    return fail(Errc::unsupported, "publicKey");
}

/// RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER }
Result<EvpKeyPtr> rsa_key(const Spki& spki, KeyFacts& facts) {
    DerReader outer{spki.key};
    RA_TRY(const ByteView content, outer.read(Tag::sequence, "publicKey"));
    RA_TRY_VOID(outer.expect_end("publicKey"));
    DerReader reader{content};
    RA_TRY(const ByteView modulus, reader.read_big_integer("modulus"));
    RA_TRY(const ByteView exponent, reader.read_big_integer("publicExponent"));
    RA_TRY_VOID(reader.expect_end("publicKey"));
    const bool negative = (modulus[0] & 0x80U) != 0 || (exponent[0] & 0x80U) != 0;
    if (negative || modulus.size() > kMostRsaBits / 8 + 1 || exponent.size() > 5)
        return fail(Errc::bad_value, "publicKey");
    const std::unique_ptr<BIGNUM, Freed<BN_free>> n{
        BN_bin2bn(modulus.data(), static_cast<int>(modulus.size()), nullptr)};
    const std::unique_ptr<BIGNUM, Freed<BN_free>> e{
        BN_bin2bn(exponent.data(), static_cast<int>(exponent.size()), nullptr)};
    if (BN_num_bits(n.get()) > static_cast<int>(kMostRsaBits) || BN_num_bits(n.get()) < 1024 ||
        BN_num_bits(e.get()) > kMostExponentBits || BN_is_odd(e.get()) == 0 ||
        BN_is_one(e.get()) == 1) {
        return fail(Errc::bad_value, "publicKey");
    }
    facts = {"rsa", {}, static_cast<unsigned>(BN_num_bits(n.get()))};
    const std::unique_ptr<OSSL_PARAM_BLD, Freed<OSSL_PARAM_BLD_free>> builder{OSSL_PARAM_BLD_new()};
    if (OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
        OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1) {
        return fail(Errc::unsupported, "publicKey");
    }
    const std::unique_ptr<OSSL_PARAM, Freed<OSSL_PARAM_free>> parameters{
        OSSL_PARAM_BLD_to_param(builder.get())};
    const EvpKeyCtxPtr context{EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr)};
    EVP_PKEY* made = nullptr;
    if (EVP_PKEY_fromdata_init(context.get()) != 1 ||
        EVP_PKEY_fromdata(context.get(), &made, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1) {
        return fail(Errc::bad_value, "publicKey");
    }
    return EvpKeyPtr{made};
}

Result<EvpKeyPtr> raw_key(const Spki& spki, const char* name) {
    EvpKeyPtr key{
        EVP_PKEY_new_raw_public_key_ex(nullptr, name, nullptr, spki.key.data(), spki.key.size())};
    if (key == nullptr || !spki.parameters.empty()) return fail(Errc::bad_value, "publicKey");
    return key;
}

/// Algorithms we do not know and libcrypto perhaps does (ML-DSA, SLH-DSA).
Result<EvpKeyPtr> other_key(const Spki& spki, KeyFacts& facts) {
    Bytes der;
    der.reserve(spki.content.size() + 8);
    constexpr std::size_t kShort = 0x10000;
    if (spki.content.size() >= kShort) return fail(Errc::too_large, "publicKey");
    der = {0x30, 0x82, static_cast<std::uint8_t>(spki.content.size() >> 8U),
           static_cast<std::uint8_t>(spki.content.size())};
    append(der, spki.content);
    const std::uint8_t* octets = der.data();
    EvpKeyPtr key{d2i_PUBKEY(nullptr, &octets, static_cast<long>(der.size()))};
    if (key == nullptr) return fail(Errc::unsupported, "publicKey");
    facts.bits = static_cast<unsigned>(EVP_PKEY_get_bits(key.get()));
    const char* const name = EVP_PKEY_get0_type_name(key.get());
    facts.family = name != nullptr ? name : "other";
    return key;
}

Result<EvpKeyPtr> build_key(const Spki& spki, KeyFacts& facts) {
    if (oid("1.2.840.10045.2.1") == spki.algorithm) return ec_key(spki, facts);
    if (oid("1.2.840.113549.1.1.1") == spki.algorithm) return rsa_key(spki, facts);
    if (oid("1.3.101.112") == spki.algorithm) {
        facts = {"ed25519", {}, 253};
        return raw_key(spki, "ED25519");
    }
    if (oid("1.3.101.113") == spki.algorithm) {
        facts = {"ed448", {}, 456};
        return raw_key(spki, "ED448");
    }
    return other_key(spki, facts);
}

bool verify_digest(EVP_PKEY* key, const SignatureScheme& scheme, ByteView signature, ByteView first,
                   ByteView second) {
    thread_local const MdCtxPtr context{EVP_MD_CTX_new()};
    EVP_MD_CTX_reset(context.get());
    EVP_PKEY_CTX* parameters = nullptr;
    if (EVP_DigestVerifyInit_ex(context.get(), &parameters, scheme.digest, nullptr, nullptr, key,
                                nullptr) != 1)
        return false;
    if (scheme.pss && (EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) != 1 ||
                       EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, scheme.salt_octets) != 1)) {
        return false;
    }
    return EVP_DigestVerifyUpdate(context.get(), first.data(), first.size()) == 1 &&
           EVP_DigestVerifyUpdate(context.get(), second.data(), second.size()) == 1 &&
           EVP_DigestVerifyFinal(context.get(), signature.data(), signature.size()) == 1;
}

/// Schemes that sign the message itself want it in one piece.
bool verify_message(EVP_PKEY* key, ByteView signature, ByteView first, ByteView second) {
    const MdCtxPtr context{EVP_MD_CTX_new()};
    Bytes whole = to_bytes(first);
    append(whole, second);
    return context != nullptr &&
           EVP_DigestVerifyInit_ex(context.get(), nullptr, nullptr, nullptr, nullptr, key,
                                   nullptr) == 1 &&
           EVP_DigestVerify(context.get(), signature.data(), signature.size(), whole.data(),
                            whole.size()) == 1;
}

}  // namespace

Result<PublicKey> PublicKey::from_spki(ByteView spki) {
    RA_TRY(const Spki parsed, parse_spki(spki));
    auto impl = std::make_shared<Impl>();
    auto key = build_key(parsed, impl->facts);
    ERR_clear_error();
    if (!key) return key.error();
    impl->key = std::move(*key);
    return PublicKey{std::move(impl)};
}

const KeyFacts& PublicKey::facts() const noexcept { return impl_->facts; }

Result<void> PublicKey::verify(const cmp::AlgorithmIdentifier& algorithm, ByteView signature,
                               ByteView first, ByteView second) const {
    RA_TRY(const SignatureScheme scheme, signature_scheme(algorithm.whole, "algorithm"));
    const std::string_view family = impl_->facts.family;
    const bool known =
        family == "rsa" || family == "ec" || family == "ed25519" || family == "ed448";
    if (known ? scheme.family != family : !scheme.family.empty())
        return fail(Errc::unsupported, "algorithm");
    if (!known && !(asn1::oid_name(algorithm.algorithm) == family))
        return fail(Errc::unsupported, "algorithm");
    EVP_PKEY* const key = impl_->key.get();
    const bool good = scheme.digest != nullptr
                          ? verify_digest(key, scheme, signature, first, second)
                          : verify_message(key, signature, first, second);
    if (good) return boost::system::in_place_value;
    ERR_clear_error();
    return fail(Errc::bad_signature, "signature");
}

Result<Sha256> key_digest(ByteView spki) {
    RA_TRY(const Spki parsed, parse_spki(spki));
    const bool rsa = oid("1.2.840.113549.1.1.1") == parsed.algorithm ||
                     oid("1.2.840.113549.1.1.10") == parsed.algorithm;
    if (rsa) return sha256(as_bytes("rsa"), parsed.key);
    Bytes what = to_bytes(parsed.algorithm);
    append(what, parsed.parameters);
    ByteView key = parsed.key;
    if (oid("1.2.840.10045.2.1") == parsed.algorithm && !key.empty()) {
        // The x of 02|03 x, 04 x y and 06|07 x y: whoever holds the key of (x,y) holds that of
        // (x,-y).
        key = key.subspan(1);
        if (parsed.key.front() >= 0x04) key = key.first(key.size() / 2);
    }
    return sha256(what, key);
}

bool same_public_key(ByteView spki_a, ByteView spki_b) noexcept {
    DerReader a{spki_a};
    DerReader b{spki_b};
    const auto content_a = a.read_any("publicKey");
    const auto content_b = b.read_any("publicKey");
    return content_a && content_b && equal(content_a->content, content_b->content);
}

}  // namespace ra::crypto
