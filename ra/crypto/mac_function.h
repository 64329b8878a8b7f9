#pragma once

#include "ra/asn1/der_writer.h"
#include "ra/cmp/message.h"

namespace ra::crypto {

/// A MAC that a derived key is used with, by the name that MacParameters::mac holds: the digest of
/// an HMAC ("SHA256"), "AES-128-GCM" of a GMAC, "KMAC-128".
struct MacFunction {
    const char* name = nullptr;  // literal
    Bytes nonce{};               // of a GMAC
};

/// hmacWithSHA…, AES-GMAC with 12 octets of nonce and 16 of MAC (RFC 9045), KMAC with its default
/// output and no customization. Errors: unsupported, bad_value, of the DER.
[[nodiscard]] Result<MacFunction> parse_mac_function(const cmp::AlgorithmIdentifier& algorithm,
                                                     std::string_view field);
/// The AlgorithmIdentifier of it.
void write_mac_function(asn1::DerWriter& writer, std::string_view name, ByteView nonce);

/// The digest of an HMAC alone: PBKDF2's prf. Errors likewise.
[[nodiscard]] Result<const char*> parse_hmac(const cmp::AlgorithmIdentifier& algorithm,
                                             std::string_view field);

/// Octets of key the function takes by nature: of an HMAC its digest's; 0: libcrypto lacks it.
[[nodiscard]] std::size_t natural_key_octets(std::string_view name) noexcept;
[[nodiscard]] bool is_hmac(std::string_view name) noexcept;
/// Whether a key of another size cannot be used.
[[nodiscard]] bool has_fixed_key(std::string_view name) noexcept;

/// Error: unsupported (libcrypto lacks it, or the key does not fit).
[[nodiscard]] Result<Bytes> compute_mac(const char* name, ByteView nonce, ByteView key,
                                        ByteView data);

}  // namespace ra::crypto
