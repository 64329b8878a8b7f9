#include "ra/crypto/digest.h"

#include <algorithm>
#include <stdexcept>

#include "ra/asn1/certificate.h"
#include "ra/asn1/oids.h"
#include "ra/base/secret.h"
#include "ra/crypto/algorithms.h"
#include "ra/crypto/ossl.h"

namespace ra::crypto {
namespace {

/// Fetched once: an implicit fetch costs as much as hashing a message.
const EVP_MD* fetched_sha256() {
    static const EVP_MD* const md = [] {
        EVP_MD* fetched = EVP_MD_fetch(nullptr, "SHA256", nullptr);
        if (fetched == nullptr) throw std::runtime_error("libcrypto has no SHA-256");
        return fetched;
    }();
    return md;
}

/// Ed448 hashes certificates with SHAKE256 and 512 bits (RFC 9481 3.3).
Result<Bytes> hash(ByteView octets, const char* name, std::size_t xof_octets) {
    EVP_MD* const md = EVP_MD_fetch(nullptr, name, nullptr);
    if (md == nullptr) return fail(Errc::unsupported, "hashAlg");
    const MdCtxPtr context{EVP_MD_CTX_new()};
    Bytes out(xof_octets != 0 ? xof_octets : static_cast<std::size_t>(EVP_MD_get_size(md)));
    bool good = context != nullptr && EVP_DigestInit_ex2(context.get(), md, nullptr) == 1 &&
                EVP_DigestUpdate(context.get(), octets.data(), octets.size()) == 1;
    if (good && xof_octets != 0) {
        good = EVP_DigestFinalXOF(context.get(), out.data(), out.size()) == 1;
    } else if (good) {
        unsigned length = 0;
        good = EVP_DigestFinal_ex(context.get(), out.data(), &length) == 1;
    }
    EVP_MD_free(md);
    if (!good) return fail(Errc::unsupported, "hashAlg");
    return out;
}

}  // namespace

Sha256 sha256(ByteView first, ByteView second) {
    thread_local const MdCtxPtr context{EVP_MD_CTX_new()};
    Sha256 digest{};
    unsigned length = 0;
    const bool good = EVP_DigestInit_ex2(context.get(), fetched_sha256(), nullptr) == 1 &&
                      EVP_DigestUpdate(context.get(), first.data(), first.size()) == 1 &&
                      EVP_DigestUpdate(context.get(), second.data(), second.size()) == 1 &&
                      EVP_DigestFinal_ex(context.get(), digest.data(), &length) == 1;
    if (!good) throw std::runtime_error("SHA-256 failed");
    return digest;
}

Sha256 hmac_sha256(ByteView key, ByteView first, ByteView second) {
    // RFC 2104, over the digest of above: libcrypto's one-shot fetches its algorithm each time.
    constexpr std::size_t kBlock = 64;
    constexpr std::uint8_t kInner = 0x36;
    constexpr std::uint8_t kOuter = 0x5c;
    std::array<std::uint8_t, kBlock> block{};
    const Sha256 hashed = key.size() > kBlock ? sha256(key) : Sha256{};
    const ByteView used = key.size() > kBlock ? ByteView{hashed} : key;
    std::copy(used.begin(), used.end(), block.begin());
    for (std::uint8_t& octet : block) octet ^= kInner;
    Bytes inner{block.begin(), block.end()};
    append(inner, first);
    const Sha256 middle = sha256(inner, second);
    for (std::uint8_t& octet : block) octet ^= kInner ^ kOuter;
    const Sha256 mac = sha256(block, middle);
    wipe(block.data(), block.size());
    wipe(inner.data(), kBlock);
    return mac;
}

Result<Bytes> cert_hash(ByteView certificate,
                        const std::optional<cmp::AlgorithmIdentifier>& hash_alg) {
    if (hash_alg) {
        const char* const name = digest_by_oid(hash_alg->algorithm);
        if (name == nullptr) return fail(Errc::unsupported, "hashAlg");
        return hash(certificate, name, 0);
    }
    RA_TRY(const asn1::CertificateView view, asn1::parse_certificate(certificate));
    RA_TRY(const SignatureScheme scheme,
           signature_scheme(view.signature_alg, "signatureAlgorithm"));
    if (scheme.family == "ed25519") return hash(certificate, "SHA512", 0);
    if (scheme.family == "ed448") return hash(certificate, "SHAKE256", 64);
    if (scheme.digest == nullptr) return fail(Errc::unsupported, "hashAlg");
    return hash(certificate, scheme.digest, 0);
}

}  // namespace ra::crypto
