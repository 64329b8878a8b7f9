#include "ra/crypto/seal.h"

#include <array>
#include <cstring>
#include <stdexcept>

#include "ra/crypto/ossl.h"

namespace ra::crypto {
namespace {

using CipherCtxPtr = std::unique_ptr<EVP_CIPHER_CTX, Freed<EVP_CIPHER_CTX_free>>;
constexpr std::size_t kBlock = 16;
using Block = std::array<std::uint8_t, kBlock>;

const EVP_CIPHER* fetched(const char* name) {
    EVP_CIPHER* cipher = EVP_CIPHER_fetch(nullptr, name, nullptr);
    if (cipher == nullptr) throw std::runtime_error(std::string("libcrypto has no ") + name);
    return cipher;
}
const EVP_CIPHER* gcm() {
    static const EVP_CIPHER* const cipher = fetched("AES-256-GCM");
    return cipher;
}
const EVP_CIPHER* ecb() {
    static const EVP_CIPHER* const cipher = fetched("AES-256-ECB");
    return cipher;
}

/// A context per thread keeps neither key nor data: it is reset after each use.
struct Cipher {
    EVP_CIPHER_CTX* context;
    Cipher() {
        thread_local const CipherCtxPtr kept{EVP_CIPHER_CTX_new()};
        context = kept.get();
        if (context == nullptr) throw std::bad_alloc();
    }
    ~Cipher() { EVP_CIPHER_CTX_reset(context); }
    Cipher(const Cipher&) = delete;
    Cipher& operator=(const Cipher&) = delete;
};

void encrypt_blocks(ByteView key, const std::uint8_t* in, std::uint8_t* out, std::size_t size) {
    const Cipher cipher;
    int length = 0;
    const bool good =
        EVP_EncryptInit_ex2(cipher.context, ecb(), key.data(), nullptr, nullptr) == 1 &&
        EVP_CIPHER_CTX_set_padding(cipher.context, 0) == 1 &&
        EVP_EncryptUpdate(cipher.context, out, &length, in, static_cast<int>(size)) == 1;
    if (!good) throw std::runtime_error("AES-256-ECB failed");
}

/// Wipes itself.
struct DerivedKey {
    std::array<std::uint8_t, 2 * kBlock> octets{};
    DerivedKey() = default;
    DerivedKey(const DerivedKey&) = delete;
    DerivedKey& operator=(const DerivedKey&) = delete;
    ~DerivedKey() { wipe(octets.data(), octets.size()); }
};

}  // namespace

struct Sealer::Keys {
    Secret key;
    Block subkey{};  // K1 of CMAC (NIST SP 800-38B)

    explicit Keys(Secret from) : key{std::move(from)} {
        const Block zero{};
        encrypt_blocks(key.reveal(), zero.data(), subkey.data(), kBlock);
        const bool carry = (subkey[0] & 0x80U) != 0;
        for (std::size_t i = 0; i < kBlock; ++i) {
            const unsigned here = subkey[i];
            const unsigned next = i + 1 < kBlock ? subkey[i + 1] : 0U;
            subkey[i] = static_cast<std::uint8_t>(here << 1U | next >> 7U);
        }
        if (carry) subkey[kBlock - 1] ^= 0x87U;
    }
    Keys(const Keys&) = delete;
    Keys& operator=(const Keys&) = delete;
    ~Keys() { wipe(subkey.data(), subkey.size()); }

    /// NIST SP 800-108 in counter mode with CMAC, label "X", context the nonce's first half: both
    /// inputs are one whole block, so CMAC is one encryption of block XOR K1.
    void derive(ByteView nonce, DerivedKey& derived) const {
        std::array<std::uint8_t, 2 * kBlock> blocks{};
        for (std::uint8_t i = 0; i < 2; ++i) {
            std::uint8_t* block = blocks.data() + i * kBlock;
            block[1] = static_cast<std::uint8_t>(i + 1);
            block[2] = 'X';
            std::memcpy(block + 4, nonce.data(), kBlock - 4);
            for (std::size_t at = 0; at < kBlock; ++at) block[at] ^= subkey[at];
        }
        encrypt_blocks(key.reveal(), blocks.data(), derived.octets.data(), blocks.size());
        wipe(blocks.data(), blocks.size());
    }
};

Sealer::Sealer(std::unique_ptr<Keys> keys) noexcept : keys_{std::move(keys)} {}
Sealer::Sealer(Sealer&&) noexcept = default;
Sealer& Sealer::operator=(Sealer&&) noexcept = default;
Sealer::~Sealer() = default;

Result<Sealer> Sealer::create(Secret key) {
    if (key.reveal().size() != kKeyOctets) return fail(Errc::bad_value, "sealing key");
    return Sealer{std::make_unique<Keys>(std::move(key))};
}

Bytes Sealer::seal(ByteView plain, ByteView associated, Random& random) const {
    std::array<std::uint8_t, kNonceOctets> nonce{};
    random.fill(nonce);
    return seal_with_for_test(nonce, plain, associated);
}

Bytes Sealer::seal_with_for_test(ByteView nonce, ByteView plain, ByteView associated) const {
    DerivedKey key;
    keys_->derive(nonce, key);
    Bytes sealed(plain.size() + kOverhead);
    std::memcpy(sealed.data(), nonce.data(), kNonceOctets);
    std::uint8_t* const out = sealed.data() + kNonceOctets;
    const Cipher cipher;
    EVP_CIPHER_CTX* const context = cipher.context;
    int length = 0;
    // The last 12 octets of the nonce are GCM's own.
    bool good =
        EVP_EncryptInit_ex2(context, gcm(), key.octets.data(), nonce.data() + 12, nullptr) == 1 &&
        EVP_EncryptUpdate(context, nullptr, &length, associated.data(),
                          static_cast<int>(associated.size())) == 1;
    if (good && !plain.empty()) {
        good = EVP_EncryptUpdate(context, out, &length, plain.data(),
                                 static_cast<int>(plain.size())) == 1;
    }
    good = good && EVP_EncryptFinal_ex(context, out + plain.size(), &length) == 1 &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, static_cast<int>(kTagOctets),
                               out + plain.size()) == 1;
    if (!good) throw std::runtime_error("AES-256-GCM failed");
    return sealed;
}

Result<Bytes> Sealer::unseal(ByteView sealed, ByteView associated) const {
    if (sealed.size() < kOverhead) return fail(Errc::truncated, "sealed octets");
    DerivedKey key;
    keys_->derive(sealed, key);
    const ByteView body = sealed.subspan(kNonceOctets, sealed.size() - kOverhead);
    Block tag{};
    std::memcpy(tag.data(), sealed.data() + sealed.size() - kTagOctets, kTagOctets);
    Bytes plain(body.size());
    const Cipher cipher;
    EVP_CIPHER_CTX* const context = cipher.context;
    int length = 0;
    bool good =
        EVP_DecryptInit_ex2(context, gcm(), key.octets.data(), sealed.data() + 12, nullptr) == 1 &&
        EVP_DecryptUpdate(context, nullptr, &length, associated.data(),
                          static_cast<int>(associated.size())) == 1;
    if (good && !body.empty()) {
        good = EVP_DecryptUpdate(context, plain.data(), &length, body.data(),
                                 static_cast<int>(body.size())) == 1;
    }
    std::uint8_t none[kBlock];
    good = good &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, static_cast<int>(kTagOctets),
                               tag.data()) == 1 &&
           EVP_DecryptFinal_ex(context, none, &length) == 1;
    if (!good) {
        wipe(plain.data(), plain.size());  // not authentic: nobody sees it
        return fail(Errc::bad_signature, "sealed octets");
    }
    return plain;
}

}  // namespace ra::crypto
