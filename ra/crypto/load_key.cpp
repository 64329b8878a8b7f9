#include <openssl/err.h>
#include <openssl/pkcs12.h>

#include <algorithm>
#include <stdexcept>

#include "ra/base/secret.h"
#include "ra/crypto/evp_private_key.h"
#include "ra/crypto/files.h"

/// Keys and whole credentials from files.
namespace ra::crypto {
namespace {

int give_passphrase(char* buffer, int size, int, void* user) noexcept {
    const auto* const passphrase = static_cast<const std::string_view*>(user);
    if (passphrase->empty() || passphrase->size() > static_cast<std::size_t>(size)) return -1;
    std::copy(passphrase->begin(), passphrase->end(), buffer);
    return static_cast<int>(passphrase->size());
}

/// What was read of a key file, wiped on every way out.
struct KeyFile {
    explicit KeyFile(const std::string& path) : octets{load_file(path)} {}
    KeyFile(const KeyFile&) = delete;
    KeyFile& operator=(const KeyFile&) = delete;
    ~KeyFile() { wipe(octets.data(), octets.size()); }
    [[nodiscard]] bool is_der() const noexcept { return !octets.empty() && octets[0] == 0x30; }
    [[nodiscard]] BioPtr bio() const {
        return BioPtr{BIO_new_mem_buf(octets.data(), static_cast<int>(octets.size()))};
    }
    Bytes octets;
};

EvpKeyPtr read_der(const KeyFile& file, std::string_view passphrase) {
    const std::uint8_t* at = file.octets.data();
    EvpKeyPtr key{d2i_AutoPrivateKey(nullptr, &at, static_cast<long>(file.octets.size()))};
    if (key != nullptr) return key;
    return EvpKeyPtr{
        d2i_PKCS8PrivateKey_bio(file.bio().get(), nullptr, give_passphrase, &passphrase)};
}

using Pkcs12Ptr = std::unique_ptr<PKCS12, Freed<PKCS12_free>>;
struct FreeOwnedStack {
    void operator()(STACK_OF(X509) * stack) const noexcept { sk_X509_pop_free(stack, X509_free); }
};
using OwnedX509StackPtr = std::unique_ptr<STACK_OF(X509), FreeOwnedStack>;

CertificatePtr as_certificate(X509* certificate, const std::string& path) {
    unsigned char* der = nullptr;
    const int length = i2d_X509(certificate, &der);
    if (length <= 0) throw std::runtime_error(path + ": holds a certificate we cannot read");
    auto parsed = Certificate::parse({der, static_cast<std::size_t>(length)});
    OPENSSL_free(der);
    if (!parsed)
        throw std::runtime_error(path + ": " + std::string(to_string(parsed.error().code)) +
                                 " in a certificate's " + std::string(parsed.error().field));
    return std::move(*parsed);
}

bool is_self_issued(const Certificate& one) { return equal(one.view().issuer, one.subject()); }

/// The others in the order of their issuing; what does not belong to the path is left out.
std::vector<CertificatePtr> in_order(CertificatePtr own, std::vector<CertificatePtr> others) {
    std::vector<CertificatePtr> chain{std::move(own)};
    while (!is_self_issued(*chain.back())) {
        const auto issuer =
            std::find_if(others.begin(), others.end(), [&chain](const CertificatePtr& one) {
                return equal(one->subject(), chain.back()->view().issuer);
            });
        if (issuer == others.end() || is_self_issued(**issuer)) break;
        chain.push_back(std::move(*issuer));
        others.erase(issuer);
    }
    return chain;
}

}  // namespace

PrivateKeyPtr PrivateKey::load(const std::string& path, std::string_view passphrase) {
    const KeyFile file{path};
    EvpKeyPtr key = file.is_der() ? read_der(file, passphrase)
                                  : EvpKeyPtr{PEM_read_bio_PrivateKey(
                                        file.bio().get(), nullptr, give_passphrase, &passphrase)};
    ERR_clear_error();
    if (key == nullptr)
        throw std::runtime_error(
            path + ": holds no private key we can read (PEM or DER; wrong passphrase?)");
    return own_private_key(std::move(key));
}

CredentialPtr Credential::of(std::string name, PrivateKeyPtr key,
                             std::vector<CertificatePtr> chain) {
    if (chain.empty()) throw std::runtime_error(name + ": no certificate");
    auto made = std::make_shared<Credential>();
    made->name = std::move(name);
    made->key = std::move(key);
    made->certificate = chain.front();
    for (CertificatePtr& one : chain) {
        // The root is the peer's to know; sending it proves nothing.
        const bool root = !made->chain.empty() && is_self_issued(*one);
        if (!root) made->chain.push_back(std::move(one));
    }
    if (!same_public_key(made->certificate->view().spki, made->key->spki())) {
        throw std::runtime_error("certificate and key of " + made->name +
                                 " do not belong together");
    }
    return made;
}

CredentialPtr Credential::load_pkcs12(std::string name, const std::string& path,
                                      std::string_view passphrase) {
    const KeyFile file{path};
    const Pkcs12Ptr bag{d2i_PKCS12_bio(file.bio().get(), nullptr)};
    if (bag == nullptr) {
        ERR_clear_error();
        throw std::runtime_error(path + ": is no PKCS #12 file");
    }
    std::string text{passphrase};
    EVP_PKEY* key = nullptr;
    X509* own = nullptr;
    STACK_OF(X509)* others = nullptr;
    const bool opened = PKCS12_parse(bag.get(), text.c_str(), &key, &own, &others) == 1;
    wipe(text.data(), text.size());
    ERR_clear_error();
    EvpKeyPtr owned_key{key};
    const X509Ptr owned{own};
    const OwnedX509StackPtr owned_others{others};
    if (!opened)
        throw std::runtime_error(path +
                                 ": PKCS #12 does not open (wrong passphrase, or made with an "
                                 "algorithm this libcrypto has not, as RC2)");
    if (key == nullptr || own == nullptr)
        throw std::runtime_error(path + ": PKCS #12 without a key and its certificate");
    std::vector<CertificatePtr> rest;
    for (int i = 0; others != nullptr && i < sk_X509_num(others); ++i)
        rest.push_back(as_certificate(sk_X509_value(others, i), path));
    return of(std::move(name), own_private_key(std::move(owned_key)),
              in_order(as_certificate(own, path), std::move(rest)));
}

}  // namespace ra::crypto
