#include "ra/crypto/signer.h"

#include <openssl/err.h>

#include <algorithm>
#include <stdexcept>

#include "ra/asn1/der_writer.h"
#include "ra/asn1/oids.h"
#include "ra/base/secret.h"
#include "ra/base/time.h"
#include "ra/cmp/build.h"
#include "ra/crypto/files.h"
#include "ra/crypto/ossl.h"

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

class OpensslKey final : public PrivateKey {
public:
    explicit OpensslKey(EvpKeyPtr key) : key_{std::move(key)} {
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
                    EVP_DigestSignInit_ex(context.get(), nullptr, digest_, nullptr, nullptr,
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

    [[nodiscard]] std::string pem() const override {
        const BioPtr bio{BIO_new(BIO_s_mem())};
        if (PEM_write_bio_PKCS8PrivateKey(bio.get(), key_.get(), nullptr, nullptr, 0, nullptr,
                                          nullptr) != 1) {
            throw std::runtime_error("key cannot be exported");
        }
        char* data = nullptr;
        const long length = BIO_get_mem_data(bio.get(), &data);
        return {data, static_cast<std::size_t>(length)};
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

    EvpKeyPtr key_;
    Bytes spki_;
    Bytes algorithm_;
    const char* digest_ = nullptr;
};

int give_passphrase(char* buffer, int size, int, void* user) noexcept {
    const auto* const passphrase = static_cast<const std::string_view*>(user);
    if (passphrase->empty() || passphrase->size() > static_cast<std::size_t>(size)) return -1;
    std::copy(passphrase->begin(), passphrase->end(), buffer);
    return static_cast<int>(passphrase->size());
}

}  // namespace

PrivateKeyPtr PrivateKey::load(const std::string& path, std::string_view passphrase) {
    Bytes octets = load_file(path);
    EvpKeyPtr key;
    if (!octets.empty() && octets[0] == 0x30) {
        const std::uint8_t* at = octets.data();
        key.reset(d2i_AutoPrivateKey(nullptr, &at, static_cast<long>(octets.size())));
    } else {
        const BioPtr bio{BIO_new_mem_buf(octets.data(), static_cast<int>(octets.size()))};
        key.reset(PEM_read_bio_PrivateKey(bio.get(), nullptr, give_passphrase, &passphrase));
    }
    wipe(octets.data(), octets.size());
    ERR_clear_error();
    if (key == nullptr)
        throw std::runtime_error(
            path + ": holds no private key we can read (PEM or DER; wrong passphrase?)");
    return std::make_shared<OpensslKey>(std::move(key));
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
    return std::make_shared<OpensslKey>(EvpKeyPtr{key});
}

Bytes Credential::sender() const { return cmp::general_name(certificate->subject()); }

ByteView Credential::sender_kid() const noexcept {
    return certificate->subject_key_id().value_or(ByteView{});
}

Bytes Credential::extra_certs() const {
    Bytes content;
    for (const CertificatePtr& one : chain) append(content, one->der());
    return content;
}

CredentialPtr Credential::load(std::string name, const std::string& certificate,
                               const std::string& key) {
    auto made = std::make_shared<Credential>();
    made->name = std::move(name);
    made->key = PrivateKey::load(key);
    for (CertificatePtr& one : load_certificates(certificate)) {
        // The root is the peer's to know; sending it proves nothing.
        const bool root = !made->chain.empty() && equal(one->view().issuer, one->subject());
        if (!root) made->chain.push_back(std::move(one));
    }
    made->certificate = made->chain.front();
    if (!same_public_key(made->certificate->view().spki, made->key->spki())) {
        throw std::runtime_error(certificate + " and " + key + " do not belong together");
    }
    return made;
}

Result<Bytes> protect(const Credential& credential, ByteView header, ByteView body) {
    const Bytes part = cmp::build_protected_part(header, body);
    RA_TRY(const Bytes signature, credential.key->sign(part));
    return cmp::build_pki_message(header, body, signature, credential.extra_certs());
}

}  // namespace ra::crypto
