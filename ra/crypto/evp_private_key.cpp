#include "ra/crypto/evp_private_key.h"

#include <openssl/err.h>

#include <algorithm>
#include <stdexcept>

#include "ra/asn1/der_writer.h"
#include "ra/asn1/oids.h"
#include "ra/base/time.h"

namespace ra::crypto {
namespace {

using asn1::DerWriter;
using asn1::oid;
using asn1::Tag;

/// How a key of libcrypto signs.
struct Scheme {
    const char* type;  // libcrypto's name of the key type
    unsigned bits;     // of the curve; 0: any
    asn1::Oid algorithm;
    const char* digest;
    bool null_parameters;
};
constexpr Scheme kSchemes[] = {
    {"EC", 256, oid("1.2.840.10045.4.3.2"), "SHA256", false},
    {"EC", 384, oid("1.2.840.10045.4.3.3"), "SHA384", false},
    {"EC", 521, oid("1.2.840.10045.4.3.4"), "SHA512", false},
    {"RSA", 0, oid("1.2.840.113549.1.1.11"), "SHA256", true},
    {"ED25519", 0, oid("1.3.101.112"), nullptr, false},
    {"ED448", 0, oid("1.3.101.113"), nullptr, false},
};

class EvpPrivateKey final : public PrivateKey {
public:
    EvpPrivateKey(EvpKeyPtr key, KeyHome home, LibContextPtr context)
        : context_{std::move(context)}, key_{std::move(key)}, home_{home} {
        unsigned char* der = nullptr;
        const int length = i2d_PUBKEY(key_.get(), &der);
        if (length <= 0) throw std::runtime_error("key has no public half");
        spki_.assign(der, der + length);
        OPENSSL_free(der);
        choose_scheme();
        measure();
    }

    [[nodiscard]] ByteView spki() const noexcept override { return spki_; }
    [[nodiscard]] ByteView algorithm() const noexcept override { return algorithm_; }

    [[nodiscard]] Result<Bytes> sign(ByteView data) const override {
        const MdCtxPtr context{EVP_MD_CTX_new()};
        std::size_t length = 0;
        Bytes signature;
        bool good = context != nullptr &&
                    EVP_DigestSignInit_ex(context.get(), nullptr, digest_, context_.get(), nullptr,
                                          key_.get(), nullptr) == 1 &&
                    EVP_DigestSign(context.get(), nullptr, &length, data.data(), data.size()) == 1;
        if (good) {
            signature.resize(length);
            good = EVP_DigestSign(context.get(), signature.data(), &length, data.data(),
                                  data.size()) == 1;
            signature.resize(length);
        }
        if (good) return signature;
        ERR_clear_error();
        return fail(Errc::unavailable, "signature");
    }

    [[nodiscard]] std::string pem(std::string_view passphrase) const override {
        const BioPtr bio{BIO_new(BIO_s_secmem())};
        const bool seal = !passphrase.empty();
        // libcrypto would write a shell without the private half of a token's key.
        if (home_ == KeyHome::token ||
            PEM_write_bio_PKCS8PrivateKey(bio.get(), key_.get(), seal ? EVP_aes_256_cbc() : nullptr,
                                          seal ? passphrase.data() : nullptr,
                                          static_cast<int>(passphrase.size()), nullptr,
                                          nullptr) != 1) {
            ERR_clear_error();
            throw std::runtime_error("key cannot be exported");
        }
        char* data = nullptr;
        const long length = BIO_get_mem_data(bio.get(), &data);
        return {data, static_cast<std::size_t>(length)};
    }

    [[nodiscard]] std::string kind() const override {
        char curve[32] = {};
        if (EVP_PKEY_is_a(key_.get(), "RSA") == 1)
            return "rsa:" + std::to_string(EVP_PKEY_get_bits(key_.get()));
        if (EVP_PKEY_is_a(key_.get(), "EC") == 1) {
            const bool named =
                EVP_PKEY_get_group_name(key_.get(), curve, sizeof curve, nullptr) == 1;
            return named ? "ec:" + std::string(curve) : std::string{};
        }
        const char* const name = EVP_PKEY_get0_type_name(key_.get());
        return name != nullptr ? name : "";
    }

private:
    void choose_scheme() {
        const auto bits = static_cast<unsigned>(EVP_PKEY_get_bits(key_.get()));
        const auto fits = [this, bits](const Scheme& scheme) {
            return EVP_PKEY_is_a(key_.get(), scheme.type) == 1 &&
                   (scheme.bits == 0 || scheme.bits == bits);
        };
        const auto* const scheme = std::find_if(std::begin(kSchemes), std::end(kSchemes), fits);
        DerWriter writer;
        {
            const auto identifier = writer.open(Tag::sequence);
            if (scheme != std::end(kSchemes)) {
                digest_ = scheme->digest;
                writer.oid(scheme->algorithm.view());
                if (scheme->null_parameters) writer.null();
            } else {
                const char* const name = EVP_PKEY_get0_type_name(key_.get());
                const Bytes algorithm = asn1::oid_by_name(name != nullptr ? name : "");
                if (algorithm.empty())
                    throw std::runtime_error(std::string("no signature algorithm for key type ") +
                                             (name != nullptr ? name : "?"));
                writer.oid(algorithm);
            }
        }
        algorithm_ = std::move(writer).take();
    }

    void measure() {
        constexpr int kRounds = 3;
        cost_ = std::chrono::nanoseconds::max();
        const Bytes data(64);
        for (int round = 0; round < kRounds; ++round) {
            const auto begun = BootClock::now();
            if (!sign(data)) throw std::runtime_error("key does not sign");
            cost_ = std::min<std::chrono::nanoseconds>(cost_, BootClock::now() - begun);
        }
    }

    LibContextPtr context_;  // outlives the key
    EvpKeyPtr key_;
    KeyHome home_;
    Bytes spki_;
    Bytes algorithm_;
    const char* digest_ = nullptr;
};

}  // namespace

PrivateKeyPtr own_private_key(EvpKeyPtr key, KeyHome home, LibContextPtr context) {
    return std::make_shared<EvpPrivateKey>(std::move(key), home, std::move(context));
}

PrivateKeyPtr PrivateKey::generate(std::string_view kind) {
    EVP_PKEY* key = nullptr;
    if (kind.starts_with("ec:")) {
        key = EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", std::string(kind.substr(3)).c_str());
    } else if (kind.starts_with("rsa:")) {
        key = EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA",
                                static_cast<std::size_t>(std::stoul(std::string(kind.substr(4)))));
    } else {
        key = EVP_PKEY_Q_keygen(nullptr, nullptr, std::string(kind).c_str());
    }
    ERR_clear_error();
    if (key == nullptr) throw std::runtime_error("cannot make a key of kind " + std::string(kind));
    return own_private_key(EvpKeyPtr{key});
}

}  // namespace ra::crypto
