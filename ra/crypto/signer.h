#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "ra/crypto/certificate.h"

namespace ra::crypto {

/// A private key, loaded from a file or made. Immutable; sign() may be called by any thread.
class PrivateKey {
public:
    /// PEM or DER, PKCS #8 (also encrypted) or traditional. Throws std::runtime_error naming file
    /// and fault.
    [[nodiscard]] static std::shared_ptr<const PrivateKey> load(const std::string& path,
                                                                std::string_view passphrase = {});
    /// A key in a PKCS #11 token: "pkcs11:token=ra;object=ra-key?module-path=/…/module.so" (RFC
    /// 7512; without module-path the default module). It stays in the token. By OpenSSL's pkcs11
    /// provider where that is installed, else by its engine. Throws std::runtime_error.
    [[nodiscard]] static std::shared_ptr<const PrivateKey> open_token(std::string_view uri,
                                                                      std::string_view pin = {});
    /// "ec:P-256", "ec:P-384", "rsa:3072", "ed25519", "ed448", or an algorithm name of libcrypto.
    [[nodiscard]] static std::shared_ptr<const PrivateKey> generate(std::string_view kind);

    virtual ~PrivateKey() = default;
    /// Universal SubjectPublicKeyInfo TLV.
    [[nodiscard]] virtual ByteView spki() const noexcept = 0;
    /// AlgorithmIdentifier TLV of the signatures it makes (RFC 9481).
    [[nodiscard]] virtual ByteView algorithm() const noexcept = 0;
    [[nodiscard]] virtual Result<Bytes> sign(ByteView data) const = 0;
    /// PKCS #8 PEM, encrypted (AES-256) where there is a passphrase (for the lab CA, renewal and
    /// tests). Throws std::runtime_error: a token does not give it.
    [[nodiscard]] virtual std::string pem(std::string_view passphrase = {}) const = 0;
    /// What generate() makes another like it of; empty: nothing it knows.
    [[nodiscard]] virtual std::string kind() const = 0;
    /// Time of one signature, measured when loaded: under 200 us it is made inline.
    [[nodiscard]] std::chrono::nanoseconds sign_cost() const noexcept { return cost_; }

protected:
    std::chrono::nanoseconds cost_{};
};
using PrivateKeyPtr = std::shared_ptr<const PrivateKey>;

/// How we protect: a key, its certificate, the chain for extraCerts (own first, no root).
struct Credential {
    std::string name;
    PrivateKeyPtr key;
    CertificatePtr certificate;
    std::vector<CertificatePtr> chain;  // certificate first

    /// `sender` of what it protects: GeneralName TLV of the certificate's subject.
    [[nodiscard]] Bytes sender() const;
    /// senderKID: its SKI, else empty.
    [[nodiscard]] ByteView sender_kid() const noexcept;
    /// extraCerts content.
    [[nodiscard]] Bytes extra_certs() const;
    /// Of its parts; a root behind the first certificate is left out. Throws std::runtime_error:
    /// key and certificate do not belong together.
    [[nodiscard]] static std::shared_ptr<const Credential> of(std::string name, PrivateKeyPtr key,
                                                              std::vector<CertificatePtr> chain);
    /// Key, certificate and chain of one PKCS #12 file. Throws std::runtime_error.
    [[nodiscard]] static std::shared_ptr<const Credential> load_pkcs12(std::string name,
                                                                       const std::string& path,
                                                                       std::string_view passphrase);
    /// Throws std::runtime_error (files; key and certificate do not belong together).
    [[nodiscard]] static std::shared_ptr<const Credential> load(std::string name,
                                                                const std::string& certificate,
                                                                const std::string& key);
};
using CredentialPtr = std::shared_ptr<const Credential>;

/// PKIMessage with signature protection: header must carry the credential's algorithm as
/// protectionAlg. Blocking for sign_cost().
[[nodiscard]] Result<Bytes> protect(const Credential& credential, ByteView header, ByteView body);

/// To-be-signed certificate fields for the lab CA, tests and self-signed credentials.
struct CertificateFields {
    ByteView serial;   // INTEGER content
    ByteView issuer;   // Name TLV
    ByteView subject;  // Name TLV
    WallTime not_before, not_after;
    ByteView spki;        // universal SubjectPublicKeyInfo TLV
    ByteView extensions;  // Extension TLVs one after another; empty: none
};
/// Errors: those of sign().
[[nodiscard]] Result<Bytes> build_certificate(const CertificateFields& fields,
                                              const PrivateKey& issuer_key);

/// Extension TLVs.
[[nodiscard]] Bytes basic_constraints_extension(bool ca);
[[nodiscard]] Bytes key_usage_extension(std::uint16_t bits);  // bit n of KeyUsage = 1 << n
[[nodiscard]] Bytes ext_key_usage_extension(const std::vector<ByteView>& oids);
[[nodiscard]] Bytes subject_key_id_extension(ByteView spki);
[[nodiscard]] Bytes authority_key_id_extension(ByteView issuer_ski);
/// Name TLV of "CN=x,OU=y,O=z" (RFC 4514 order as written here: first is first). Throws
/// std::invalid_argument.
[[nodiscard]] Bytes name_of(std::string_view text);

struct RevokedEntry {
    Bytes serial;
    WallTime when;
    int reason;
};
/// A CRL (RFC 5280 5). Errors: those of sign().
[[nodiscard]] Result<Bytes> build_crl(ByteView issuer_name, WallTime this_update,
                                      WallTime next_update,
                                      const std::vector<RevokedEntry>& revoked,
                                      std::uint64_t number, ByteView issuer_ski,
                                      const PrivateKey& key);

}  // namespace ra::crypto
