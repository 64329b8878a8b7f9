#include "ra/app/version.h"

#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <spdlog/version.h>

#include <CLI/Version.hpp>
#include <boost/version.hpp>
#include <memory>

#include "cmpgate_commit.h"

namespace ra::app {
namespace {

template <auto free_function>
struct Freed {
    template <class T>
    void operator()(T* pointer) const noexcept {
        free_function(pointer);
    }
};

/// Whether libcrypto has an implementation of this key type, and one that signs with it or
/// encapsulates to it: found out at run time, not by its version.
bool has_signature(const char* name) {
    const std::unique_ptr<EVP_SIGNATURE, Freed<EVP_SIGNATURE_free>> signature{
        EVP_SIGNATURE_fetch(nullptr, name, nullptr)};
    return signature != nullptr;
}

bool has_kem(const char* name) {
    const std::unique_ptr<EVP_KEM, Freed<EVP_KEM_free>> kem{EVP_KEM_fetch(nullptr, name, nullptr)};
    return kem != nullptr;
}

bool has_digest(const char* name) {
    const std::unique_ptr<EVP_MD, Freed<EVP_MD_free>> digest{EVP_MD_fetch(nullptr, name, nullptr)};
    return digest != nullptr;
}

bool has_curve(const char* name) {
    const std::unique_ptr<EC_GROUP, Freed<EC_GROUP_free>> group{
        EC_GROUP_new_by_curve_name(OBJ_txt2nid(name))};
    return group != nullptr;
}

template <class Has, std::size_t n>
std::vector<std::string> which(const char* const (&names)[n], Has has) {
    std::vector<std::string> found;
    for (const char* name : names) {
        if (has(name)) found.emplace_back(name);
    }
    return found;
}

std::string boost_version() {
    return std::to_string(BOOST_VERSION / 100'000) + '.' +
           std::to_string(BOOST_VERSION / 100 % 1000) + '.' + std::to_string(BOOST_VERSION % 100);
}

std::string spdlog_version() {
    return std::to_string(SPDLOG_VER_MAJOR) + '.' + std::to_string(SPDLOG_VER_MINOR) + '.' +
           std::to_string(SPDLOG_VER_PATCH);
}

}  // namespace

std::string_view version() noexcept { return CMPGATE_VERSION; }

std::string_view commit() noexcept { return CMPGATE_COMMIT; }
WallTime source_time() noexcept { return WallTime{std::chrono::seconds{CMPGATE_SOURCE_TIME}}; }

VersionFacts version_facts() {
    VersionFacts facts;
#if defined(__clang__)
    facts.compiler = "clang " + std::to_string(__clang_major__) + '.' +
                     std::to_string(__clang_minor__) + '.' + std::to_string(__clang_patchlevel__);
#else
    facts.compiler = "gcc " + std::to_string(__GNUC__) + '.' + std::to_string(__GNUC_MINOR__) +
                     '.' + std::to_string(__GNUC_PATCHLEVEL__);
#endif
    facts.libraries = {{"openssl", OpenSSL_version(OPENSSL_VERSION_STRING)},
                       {"boost", boost_version()},
                       {"spdlog", spdlog_version()},
                       {"CLI11", CLI11_VERSION}};
    static constexpr const char* kSignatures[] = {"RSA",
                                                  "ECDSA",
                                                  "ED25519",
                                                  "ED448",
                                                  "ML-DSA-44",
                                                  "ML-DSA-65",
                                                  "ML-DSA-87",
                                                  "SLH-DSA-SHA2-128s",
                                                  "SLH-DSA-SHA2-192s",
                                                  "SLH-DSA-SHA2-256s"};
    static constexpr const char* kCurves[] = {"prime256v1",      "secp384r1",
                                              "secp521r1",       "brainpoolP256r1",
                                              "brainpoolP384r1", "brainpoolP512r1"};
    static constexpr const char* kKems[] = {"RSA", "ML-KEM-512", "ML-KEM-768", "ML-KEM-1024"};
    static constexpr const char* kDigests[] = {"SHA2-256", "SHA2-384", "SHA2-512",
                                               "SHA3-256", "SHA3-512", "SHAKE-256"};
    facts.signatures = which(kSignatures, has_signature);
    facts.curves = which(kCurves, has_curve);
    facts.kems = which(kKems, has_kem);
    facts.digests = which(kDigests, has_digest);
    return facts;
}

}  // namespace ra::app
