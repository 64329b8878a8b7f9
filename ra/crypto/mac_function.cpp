#include "ra/crypto/mac_function.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/params.h>

#include <array>
#include <memory>
#include <string>

#include "ra/asn1/der_reader.h"
#include "ra/asn1/oids.h"

namespace ra::crypto {
namespace {

using asn1::DerReader;
using asn1::DerWriter;
using asn1::oid;
using asn1::Oid;
using asn1::Tag;

constexpr std::size_t kGmacNonce = 12;
constexpr std::int64_t kGmacLength = 16;

struct Named {
    Oid oid;
    const char* name;
};
/// SHA-1 stands where collisions do not matter: `openssl cmp` 3.0 sends it by default.
constexpr Named kHmacs[] = {
    {oid("1.2.840.113549.2.9"), "SHA256"},  {oid("1.2.840.113549.2.10"), "SHA384"},
    {oid("1.2.840.113549.2.11"), "SHA512"}, {oid("1.2.840.113549.2.8"), "SHA224"},
    {oid("1.2.840.113549.2.7"), "SHA1"},    {oid("1.3.6.1.5.5.8.1.2"), "SHA1"},
};
constexpr Named kGmacs[] = {
    {oid("2.16.840.1.101.3.4.1.9"), "AES-128-GCM"},
    {oid("2.16.840.1.101.3.4.1.29"), "AES-192-GCM"},
    {oid("2.16.840.1.101.3.4.1.49"), "AES-256-GCM"},
};
constexpr Named kKmacs[] = {
    {oid("2.16.840.1.101.3.4.2.19"), "KMAC-128"},
    {oid("2.16.840.1.101.3.4.2.20"), "KMAC-256"},
};

template <std::size_t Size>
const Named* find(const Named (&known)[Size], ByteView algorithm) noexcept {
    for (const Named& one : known) {
        if (one.oid == algorithm) return &one;
    }
    return nullptr;
}

template <std::size_t Size>
const Named* find(const Named (&known)[Size], std::string_view name) noexcept {
    for (const Named& one : known) {
        if (name == one.name) return &one;
    }
    return nullptr;
}

/// GMACParameters ::= SEQUENCE { nonce OCTET STRING, length MACLength DEFAULT 12 } (RFC 9044); in
/// CMP the MAC has 16 octets (RFC 9045).
Result<Bytes> parse_gmac(ByteView parameters, std::string_view field) {
    DerReader outer{parameters};
    RA_TRY(const ByteView content, outer.read(Tag::sequence, field));
    RA_TRY_VOID(outer.expect_end(field));
    DerReader reader{content};
    RA_TRY(const ByteView nonce, reader.read(Tag::octet_string, "nonce"));
    if (nonce.size() != kGmacNonce) return fail(Errc::bad_value, "nonce");
    if (reader.at_end()) return fail(Errc::bad_value, "length");
    RA_TRY(const std::uint64_t length, reader.read_unsigned("length", 64));
    if (length != kGmacLength) return fail(Errc::bad_value, "length");
    RA_TRY_VOID(reader.expect_end(field));
    return to_bytes(nonce);
}

struct MacDeleter {
    void operator()(EVP_MAC* mac) const noexcept { EVP_MAC_free(mac); }
    void operator()(EVP_MAC_CTX* context) const noexcept { EVP_MAC_CTX_free(context); }
};

Result<Bytes> compute_hmac(const char* digest, ByteView key, ByteView data) {
    Bytes out(EVP_MAX_MD_SIZE);
    unsigned length = 0;
    const EVP_MD* const function = EVP_get_digestbyname(digest);
    if (function == nullptr || HMAC(function, key.data(), static_cast<int>(key.size()), data.data(),
                                    data.size(), out.data(), &length) == nullptr) {
        ERR_clear_error();
        return fail(Errc::unsupported, "mac");
    }
    out.resize(length);
    return out;
}

}  // namespace

Result<const char*> parse_hmac(const cmp::AlgorithmIdentifier& algorithm, std::string_view field) {
    const Named* const known = find(kHmacs, algorithm.algorithm);
    if (known == nullptr) return fail(Errc::unsupported, field);
    constexpr std::uint8_t kNull[] = {0x05, 0x00};
    if (!algorithm.parameters.empty() && !equal(algorithm.parameters, kNull))
        return fail(Errc::bad_value, field);
    return known->name;
}

Result<MacFunction> parse_mac_function(const cmp::AlgorithmIdentifier& algorithm,
                                       std::string_view field) {
    if (const Named* const gmac = find(kGmacs, algorithm.algorithm)) {
        RA_TRY(Bytes nonce, parse_gmac(algorithm.parameters, field));
        return MacFunction{gmac->name, std::move(nonce)};
    }
    if (const Named* const kmac = find(kKmacs, algorithm.algorithm)) {
        // Absent: the defaults. Other lengths and customization strings are nobody's so far.
        constexpr std::uint8_t kDefaults[] = {0x30, 0x00};
        if (!algorithm.parameters.empty() && !equal(algorithm.parameters, kDefaults))
            return fail(Errc::unsupported, field);
        return MacFunction{kmac->name, {}};
    }
    RA_TRY(const char* const digest, parse_hmac(algorithm, field));
    return MacFunction{digest, {}};
}

void write_mac_function(DerWriter& writer, std::string_view name, ByteView nonce) {
    const auto algorithm = writer.open(Tag::sequence);
    if (const Named* const gmac = find(kGmacs, name)) {
        writer.oid(gmac->oid.view());
        const auto parameters = writer.open(Tag::sequence);
        writer.octet_string(nonce);
        writer.integer(kGmacLength);
    } else if (const Named* const kmac = find(kKmacs, name)) {
        writer.oid(kmac->oid.view());
    } else {
        const Named* const hmac = find(kHmacs, name);
        writer.oid((hmac != nullptr ? *hmac : kHmacs[0]).oid.view());
        writer.null();
    }
}

std::size_t natural_key_octets(std::string_view name) noexcept {
    if (name == "AES-128-GCM" || name == "KMAC-128") return 16;
    if (name == "AES-192-GCM") return 24;
    if (name == "AES-256-GCM" || name == "KMAC-256") return 32;
    const EVP_MD* const digest = EVP_get_digestbyname(std::string(name).c_str());
    return digest == nullptr ? 0 : static_cast<std::size_t>(EVP_MD_get_size(digest));
}

bool is_hmac(std::string_view name) noexcept {
    return find(kGmacs, name) == nullptr && find(kKmacs, name) == nullptr;
}

bool has_fixed_key(std::string_view name) noexcept { return find(kGmacs, name) != nullptr; }

Result<Bytes> compute_mac(const char* name, ByteView nonce, ByteView key, ByteView data) {
    const bool gmac = find(kGmacs, std::string_view{name}) != nullptr;
    if (!gmac && find(kKmacs, std::string_view{name}) == nullptr)
        return compute_hmac(name, key, data);
    const std::unique_ptr<EVP_MAC, MacDeleter> mac{
        EVP_MAC_fetch(nullptr, gmac ? "GMAC" : name, nullptr)};
    const std::unique_ptr<EVP_MAC_CTX, MacDeleter> context{
        mac == nullptr ? nullptr : EVP_MAC_CTX_new(mac.get())};
    std::string cipher{name};
    Bytes iv = to_bytes(nonce);
    std::array<OSSL_PARAM, 3> parameters{OSSL_PARAM_construct_end(), OSSL_PARAM_construct_end(),
                                         OSSL_PARAM_construct_end()};
    if (gmac) {
        parameters[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER, cipher.data(), 0);
        parameters[1] = OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_IV, iv.data(), iv.size());
    }
    Bytes out(EVP_MAX_MD_SIZE);
    std::size_t length = 0;
    if (context == nullptr ||
        EVP_MAC_init(context.get(), key.data(), key.size(), parameters.data()) != 1 ||
        EVP_MAC_update(context.get(), data.data(), data.size()) != 1 ||
        EVP_MAC_final(context.get(), out.data(), &length, out.size()) != 1) {
        ERR_clear_error();
        return fail(Errc::unsupported, "mac");
    }
    out.resize(length);
    return out;
}

}  // namespace ra::crypto
