#include "ra/crypto/mac.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#include <array>
#include <limits>

#include "ra/asn1/der_writer.h"
#include "ra/base/time.h"
#include "ra/cmp/build.h"
#include "ra/cmp/fields.h"
#include "ra/cmp/oids.h"
#include "ra/crypto/algorithms.h"
#include "ra/crypto/mac_function.h"
#include "ra/crypto/ossl.h"

namespace ra::crypto {
namespace {

using asn1::DerReader;
using asn1::DerWriter;
using asn1::oid;
using asn1::Oid;
using asn1::Tag;

constexpr Oid kPbkdf2 = oid("1.2.840.113549.1.5.12");
constexpr Oid kSha1 = oid("1.3.14.3.2.26");
constexpr std::size_t kLeastKey = 16;  // octets
constexpr std::size_t kMostKey = 64;

struct Digest {
    Oid oid;
    const char* name;
};
/// What build_mac_algorithm() writes as owf.
constexpr Digest kOwfs[] = {
    {oid("2.16.840.1.101.3.4.2.1"), "SHA256"},
    {oid("2.16.840.1.101.3.4.2.2"), "SHA384"},
    {oid("2.16.840.1.101.3.4.2.3"), "SHA512"},
    {oid("2.16.840.1.101.3.4.2.4"), "SHA224"},
    {kSha1, "SHA1"},
};

Result<void> null_or_absent(const cmp::AlgorithmIdentifier& algorithm, std::string_view field) {
    constexpr std::uint8_t kNull[] = {0x05, 0x00};
    if (algorithm.parameters.empty() || equal(algorithm.parameters, kNull)) return {};
    return fail(Errc::bad_value, field);
}

Result<void> read_salt(DerReader& reader, const MacLimits& limits, MacParameters& into) {
    RA_TRY(const ByteView salt, reader.read(Tag::octet_string, "salt"));
    if (salt.size() < limits.least_salt || salt.size() > limits.most_salt)
        return fail(Errc::bad_value, "salt");
    into.salt = to_bytes(salt);
    return {};
}

Result<void> read_iterations(DerReader& reader, const MacLimits& limits, MacParameters& into) {
    RA_TRY(const std::uint64_t count,
           reader.read_unsigned("iterationCount", std::numeric_limits<std::uint32_t>::max()));
    if (count < limits.least_iterations || count > limits.most_iterations)
        return fail(Errc::bad_value, "iterationCount");
    into.iterations = static_cast<std::uint32_t>(count);
    return {};
}

/// PBMParameter ::= SEQUENCE { salt OCTET STRING, owf AlgorithmIdentifier,
///                             iterationCount INTEGER, mac AlgorithmIdentifier }
Result<MacParameters> parse_pbm(DerReader reader, const MacLimits& limits) {
    MacParameters made;
    made.kind = MacKind::passwordBasedMac;
    RA_TRY_VOID(read_salt(reader, limits, made));
    RA_TRY(const cmp::AlgorithmIdentifier owf, cmp::read_algorithm(reader, "owf"));
    RA_TRY_VOID(null_or_absent(owf, "owf"));
    made.derivation = kSha1 == owf.algorithm ? "SHA1" : digest_by_oid(owf.algorithm);
    if (made.derivation == nullptr) return fail(Errc::unsupported, "owf");
    RA_TRY_VOID(read_iterations(reader, limits, made));
    RA_TRY(const cmp::AlgorithmIdentifier mac, cmp::read_algorithm(reader, "mac"));
    RA_TRY(MacFunction function, parse_mac_function(mac, "mac"));
    made.mac = function.name;
    made.nonce = std::move(function.nonce);
    RA_TRY_VOID(reader.expect_end("PBMParameter"));
    return made;
}

/// PBKDF2-params ::= SEQUENCE { salt CHOICE { specified OCTET STRING, … },
///     iterationCount INTEGER, keyLength INTEGER OPTIONAL,
///     prf AlgorithmIdentifier DEFAULT algid-hmacWithSHA1 }
Result<void> parse_pbkdf2(const cmp::AlgorithmIdentifier& function, const MacLimits& limits,
                          MacParameters& into) {
    if (!(kPbkdf2 == function.algorithm)) return fail(Errc::unsupported, "keyDerivationFunc");
    DerReader outer{function.parameters};
    RA_TRY(const ByteView content, outer.read(Tag::sequence, "PBKDF2-params"));
    RA_TRY_VOID(outer.expect_end("PBKDF2-params"));
    DerReader reader{content};
    RA_TRY_VOID(read_salt(reader, limits, into));
    RA_TRY_VOID(read_iterations(reader, limits, into));
    if (reader.peek() == Tag::integer) {
        RA_TRY(const std::uint64_t octets, reader.read_unsigned("keyLength", kMostKey));
        if (octets < kLeastKey) return fail(Errc::bad_value, "keyLength");
        into.key_octets = static_cast<std::size_t>(octets);
    }
    into.derivation = "SHA1";
    if (!reader.at_end()) {
        RA_TRY(const cmp::AlgorithmIdentifier prf, cmp::read_algorithm(reader, "prf"));
        RA_TRY(into.derivation, parse_hmac(prf, "prf"));
    }
    return reader.expect_end("PBKDF2-params");
}

/// PBMAC1-params ::= SEQUENCE { keyDerivationFunc AlgorithmIdentifier,
///                              messageAuthScheme AlgorithmIdentifier }
Result<MacParameters> parse_pbmac1(DerReader reader, const MacLimits& limits) {
    MacParameters made;
    made.kind = MacKind::pbmac1;
    made.key_octets = 0;
    RA_TRY(const cmp::AlgorithmIdentifier function,
           cmp::read_algorithm(reader, "keyDerivationFunc"));
    RA_TRY(const cmp::AlgorithmIdentifier scheme, cmp::read_algorithm(reader, "messageAuthScheme"));
    RA_TRY_VOID(reader.expect_end("PBMAC1-params"));
    RA_TRY(MacFunction used, parse_mac_function(scheme, "messageAuthScheme"));
    made.mac = used.name;
    made.nonce = std::move(used.nonce);
    RA_TRY_VOID(parse_pbkdf2(function, limits, made));
    const std::size_t natural = natural_key_octets(made.mac);
    if (natural == 0) return fail(Errc::unsupported, "messageAuthScheme");
    if (made.key_octets == 0) made.key_octets = natural;
    if (has_fixed_key(made.mac) && made.key_octets != natural)
        return fail(Errc::bad_value, "keyLength");
    return made;
}

const Oid& owf_oid(std::string_view digest) {
    for (const Digest& known : kOwfs) {
        if (digest == known.name) return known.oid;
    }
    return kOwfs[0].oid;
}

/// owf applied `iterations` times to secret || salt.
Result<Bytes> derive_pbm(const MacParameters& parameters, ByteView secret) {
    const EVP_MD* const owf = EVP_get_digestbyname(parameters.derivation);
    const MdCtxPtr context{EVP_MD_CTX_new()};
    if (owf == nullptr || context == nullptr) return fail(Errc::unsupported, "owf");
    Bytes key(static_cast<std::size_t>(EVP_MD_get_size(owf)));
    bool good =
        EVP_DigestInit_ex(context.get(), owf, nullptr) == 1 &&
        EVP_DigestUpdate(context.get(), secret.data(), secret.size()) == 1 &&
        EVP_DigestUpdate(context.get(), parameters.salt.data(), parameters.salt.size()) == 1 &&
        EVP_DigestFinal_ex(context.get(), key.data(), nullptr) == 1;
    for (std::uint32_t round = 1; good && round < parameters.iterations; ++round) {
        good = EVP_DigestInit_ex(context.get(), nullptr, nullptr) == 1 &&
               EVP_DigestUpdate(context.get(), key.data(), key.size()) == 1 &&
               EVP_DigestFinal_ex(context.get(), key.data(), nullptr) == 1;
    }
    if (!good) return fail(Errc::unsupported, "owf");
    // HMAC takes BASEKEY as it is; other MACs the octets they need of BASEKEY || owf("1"||BASEKEY)
    // || owf("2"||BASEKEY) … (RFC 4211 4.4).
    if (!is_hmac(parameters.mac)) {
        const std::size_t wanted = natural_key_octets(parameters.mac);
        const Bytes base = key;
        for (std::uint8_t digit = '1'; good && key.size() < wanted; ++digit) {
            Bytes next(base.size());
            good = EVP_DigestInit_ex(context.get(), nullptr, nullptr) == 1 &&
                   EVP_DigestUpdate(context.get(), &digit, 1) == 1 &&
                   EVP_DigestUpdate(context.get(), base.data(), base.size()) == 1 &&
                   EVP_DigestFinal_ex(context.get(), next.data(), nullptr) == 1;
            append(key, next);
        }
        if (!good) return fail(Errc::unsupported, "owf");
        key.resize(wanted);
    }
    return key;
}

Result<Bytes> derive_pbkdf2(const MacParameters& parameters, ByteView secret) {
    const EVP_MD* const prf = EVP_get_digestbyname(parameters.derivation);
    Bytes key(parameters.key_octets);
    if (prf == nullptr || PKCS5_PBKDF2_HMAC(reinterpret_cast<const char*>(secret.data()),
                                            static_cast<int>(secret.size()), parameters.salt.data(),
                                            static_cast<int>(parameters.salt.size()),
                                            static_cast<int>(parameters.iterations), prf,
                                            static_cast<int>(key.size()), key.data()) != 1) {
        ERR_clear_error();
        return fail(Errc::unsupported, "keyDerivationFunc");
    }
    return key;
}

}  // namespace

Result<MacParameters> parse_mac_parameters(const cmp::AlgorithmIdentifier& algorithm,
                                           const MacLimits& limits) {
    const bool pbm = cmp::oid::kPasswordBasedMac == algorithm.algorithm;
    if (!pbm && !(cmp::oid::kPbmac1 == algorithm.algorithm))
        return fail(Errc::unsupported, "protectionAlg");
    DerReader outer{algorithm.parameters};
    RA_TRY(const ByteView content, outer.read(Tag::sequence, "protectionAlg"));
    RA_TRY_VOID(outer.expect_end("protectionAlg"));
    const DerReader reader{content};
    return pbm ? parse_pbm(reader, limits) : parse_pbmac1(reader, limits);
}

Bytes build_mac_algorithm(const MacParameters& parameters) {
    DerWriter writer;
    {
        const auto algorithm = writer.open(Tag::sequence);
        const bool pbm = parameters.kind == MacKind::passwordBasedMac;
        writer.oid((pbm ? cmp::oid::kPasswordBasedMac : cmp::oid::kPbmac1).view());
        const auto content = writer.open(Tag::sequence);
        if (pbm) {
            writer.octet_string(parameters.salt);
            {
                const auto owf = writer.open(Tag::sequence);
                writer.oid(owf_oid(parameters.derivation).view());
                writer.null();
            }
            writer.integer(parameters.iterations);
        } else {
            const auto function = writer.open(Tag::sequence);
            writer.oid(kPbkdf2.view());
            const auto values = writer.open(Tag::sequence);
            writer.octet_string(parameters.salt);
            writer.integer(parameters.iterations);
            writer.integer(static_cast<std::int64_t>(parameters.key_octets));
            write_mac_function(writer, parameters.derivation, {});
        }
        write_mac_function(writer, parameters.mac, parameters.nonce);
    }
    return std::move(writer).take();
}

std::chrono::nanoseconds derive_cost(const MacParameters& parameters) {
    constexpr std::uint32_t kRounds = 512;
    constexpr std::size_t kDigests = std::size(kOwfs);
    // Nanoseconds of kRounds iterations.
    static const std::array<std::array<std::int64_t, kDigests>, 2> kCosts = [] {
        std::array<std::array<std::int64_t, kDigests>, 2> costs{};
        for (const MacKind kind : {MacKind::passwordBasedMac, MacKind::pbmac1}) {
            for (std::size_t i = 0; i < kDigests; ++i) {
                const MacParameters sample{kind, Bytes(16), kRounds, kOwfs[i].name, "SHA256", 20};
                const auto before = BootClock::now();
                (void)MacKey::derive(sample, as_bytes("measured"));
                costs[static_cast<std::size_t>(kind)][i] =
                    std::chrono::nanoseconds{BootClock::now() - before}.count();
            }
        }
        return costs;
    }();
    std::int64_t cost = 0;
    for (std::size_t i = 0; i < kDigests; ++i) {
        if (std::string_view{kOwfs[i].name} == parameters.derivation)
            cost = kCosts[static_cast<std::size_t>(parameters.kind)][i];
    }
    return std::chrono::nanoseconds{cost * parameters.iterations / kRounds};
}

Result<MacKey> MacKey::derive(const MacParameters& parameters, ByteView secret) {
    RA_TRY(Bytes key, parameters.kind == MacKind::passwordBasedMac
                          ? derive_pbm(parameters, secret)
                          : derive_pbkdf2(parameters, secret));
    return MacKey{Secret{std::move(key)}, parameters.mac, parameters.nonce};
}

Result<Bytes> MacKey::compute(ByteView first, ByteView second) const {
    Bytes part = to_bytes(first);
    append(part, second);
    return compute_mac(mac_, nonce_, key_.reveal(), part);
}

MacKey MacKey::with_nonce(ByteView nonce) const {
    return {Secret{to_bytes(key_.reveal())}, mac_, to_bytes(nonce)};
}

Result<void> verify_mac_protection(const cmp::PKIMessage& message, const MacKey& key) {
    if (!message.protection) return fail(Errc::missing, "protection");
    const ByteView content = message.protected_content();
    Bytes prefix;
    asn1::append_header(prefix, Tag::sequence, content.size());
    RA_TRY(const Bytes wanted, key.compute(prefix, content));
    if (!equal_secret(wanted, *message.protection)) return fail(Errc::bad_signature, "protection");
    return {};
}

Result<Bytes> protect_with_mac(const MacKey& key, ByteView header, ByteView body,
                               ByteView extra_certs) {
    RA_TRY(const Bytes mac, key.compute(cmp::build_protected_part(header, body)));
    return cmp::build_pki_message(header, body, mac, extra_certs);
}

}  // namespace ra::crypto
